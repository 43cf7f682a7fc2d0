//! What the owner of alerts reads from the store when it begins.

use super::entity::{Alert, HUB};
use super::policies::Policies;
use crate::store::{AlertRecord, Resolver, Store, StoreError};

/// Alerts read from the store at once.
const PAGE: usize = 1_000;

/// Alerts resolved by hand that are remembered over a restart.
const CLOSED_MAX: usize = 10_000;

/// All that the book begins with.
pub(super) struct Recalled {
    /// Not resolved.
    pub(super) open: Vec<Alert>,
    /// Resolved by hand a while ago.
    pub(super) closed: Vec<Alert>,
    /// Of rules, resolved a moment ago.
    pub(super) over: Vec<Alert>,
    /// What operators laid down.
    pub(super) policies: Policies,
}

/// Reads it. `closed_since_ms`: when those that somebody resolved by hand may have been resolved at the earliest;
/// `over_since_ms`: the same of those that were over, `None` for none.
pub(super) async fn recall(
    store: &Store,
    closed_since_ms: u64,
    over_since_ms: Option<u64>,
) -> Result<Recalled, StoreError> {
    // What was sent before counts.
    store.settled().await?;
    let mut open: Vec<AlertRecord> = Vec::new();
    loop {
        let after = open.last().map(|record| record.id.clone());
        let page = store.open_alerts(after.as_deref(), PAGE).await?;
        let is_last = page.len() < PAGE;
        open.extend(page);
        if is_last {
            break;
        }
    }
    let open = open.into_iter().map(Alert::from_record).collect::<Result<_, _>>()?;
    let closed = store.alerts_resolved_since(closed_since_ms, Resolver::Other, HUB, CLOSED_MAX).await?;
    let closed = closed.into_iter().map(Alert::from_record).collect::<Result<_, _>>()?;
    let over = match over_since_ms {
        Some(since_ms) => store.alerts_resolved_since(since_ms, Resolver::Hub, HUB, CLOSED_MAX).await?,
        None => Vec::new(),
    };
    let over = over.into_iter().map(Alert::from_record).collect::<Result<_, _>>()?;
    Ok(Recalled { open, closed, over, policies: Policies::read(store).await? })
}
