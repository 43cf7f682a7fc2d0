//! A request to the writer and the answer to it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::StoreError;
use super::writer::Database;

/// What the writer does with one request: apply it inside the group's transaction, and answer once
/// that transaction is committed.
pub(super) trait Request: Send {
    /// Runs once, inside the request's own savepoint. An error undoes this request only.
    fn apply(&mut self, database: &mut Database) -> Result<(), StoreError>;

    /// Answers: `Ok` gives what `apply` made, an error replaces it.
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// A closure with the place its result is sent to.
pub(super) struct Pending<T, F> {
    work: Option<F>,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Pending<T, F>
where
    T: Send + 'static,
    F: FnOnce(&mut Database) -> Result<T, StoreError> + Send + 'static,
{
    pub(super) fn new(work: F) -> (Box<Self>, Reply<T>) {
        let (reply, receiver) = oneshot::channel();
        (Box::new(Self { work: Some(work), result: None, reply }), Reply(State::Waiting(receiver)))
    }
}

impl<T, F> Request for Pending<T, F>
where
    T: Send + 'static,
    F: FnOnce(&mut Database) -> Result<T, StoreError> + Send + 'static,
{
    fn apply(&mut self, database: &mut Database) -> Result<(), StoreError> {
        let work = self.work.take().ok_or_else(|| StoreError::Sql("a request was applied twice".into()))?;
        self.result = Some(work(database)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let answer = match (outcome, self.result) {
            (Ok(()), Some(result)) => Ok(result),
            (Ok(()), None) => Err(StoreError::WriterFailed("the request was not applied".into())),
            (Err(error), _) => Err(error),
        };
        // Nobody may be waiting any more; the request took effect all the same.
        drop(self.reply.send(answer));
    }
}

/// The answer to a request that is already on its way: requests take effect in the order of the calls,
/// whenever their answers are awaited. Ready once the request is committed, or refused.
#[must_use = "the request is sent, but whether it was committed is only known from the answer"]
pub struct Reply<T>(State<T>);

enum State<T> {
    Refused(Option<StoreError>),
    Waiting(oneshot::Receiver<Result<T, StoreError>>),
}

impl<T> Reply<T> {
    pub(super) fn refused(error: StoreError) -> Self {
        Self(State::Refused(Some(error)))
    }
}

impl<T> Future for Reply<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Refused(error) => Poll::Ready(Err(error.take().unwrap_or(StoreError::Closed))),
            // A request is dropped without an answer only when it was still queued as the writer ended.
            State::Waiting(receiver) => {
                Pin::new(receiver).poll(context).map(|answer| answer.unwrap_or(Err(StoreError::Closed)))
            }
        }
    }
}

impl<T> Unpin for Reply<T> {}
