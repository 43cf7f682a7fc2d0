//! Waiting for a condition, with a bound; never for a time.

use std::time::Duration;

/// Far more than anything here takes; what is not there by then never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Time between two questions to something that cannot call back.
const ASK_INTERVAL: Duration = Duration::from_millis(5);

/// The result of `future`, which must come in time.
///
/// # Panics
/// When it does not.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_elapsed) => panic!("{what}: not within {PATIENCE:?}"),
    }
}

/// Asks until there is an answer, which must come in time.
///
/// # Panics
/// When it does not.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(ASK_INTERVAL).await;
        }
    };
    within(what, asking).await
}
