//! What a client asks of shared state. The answers come when the document has them; nothing waits for them.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::{ConnectionActor, Failure};
use crate::auth::permission;
use crate::clock::Clock;
use crate::ids::{DocName, TopicName};
use crate::protocol::client::{SyncGet, SyncPut};
use crate::protocol::codes::Code;
use crate::protocol::server;
use crate::sync::messages::KeyView;
use crate::sync::{HybridTime, Outcome, SyncError, Write};
use crate::telemetry::Cause;

/// Requests of one connection that wait for a document.
const UNANSWERED_MAX: usize = 256;

impl From<SyncError> for Failure {
    fn from(error: SyncError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl ConnectionActor {
    pub(super) fn sync_get(
        &self,
        wanted: &SyncGet<'_>,
        reply_to: Option<&str>,
        cause: &Cause,
    ) -> Result<(), Failure> {
        let doc = DocName::parse(&wanted.doc)?;
        let (claims, client_id) = (self.seat.claims(), self.seat.identity.borrow().client_id.shared());
        let topic = TopicName::of_document(&doc);
        if !permission::may_subscribe(&claims, Some(&client_id), topic.as_str()) {
            return Err(Failure::new(Code::Forbidden, format!("not allowed to read the document {doc}")));
        }
        self.check_unanswered()?;
        let keys = wanted.keys.as_ref().map(|keys| keys.iter().map(|key| Arc::from(&**key)).collect());
        let view = self.shard.services.documents.get(&doc, keys, cause);
        let outbox_bytes_max = self.shard.services.settings.outbox_bytes_max;
        self.answer_later(reply_to, async move |reply_to, clock| {
            let view = view.await?;
            let payload = json!({ "doc": doc, "version": view.version, "entries": view.entries });
            let frame = server::control("sync_doc", clock.unix_ms(), reply_to, &payload);
            // What cannot be sent beside anything else would end the connection.
            if frame.len() > outbox_bytes_max / 2 {
                let message = format!(
                    "the answer has {} bytes, at most {} fit; name `keys`, or read /api/v1/events/sync/{doc}",
                    frame.len(),
                    outbox_bytes_max / 2
                );
                return Err(Failure::new(Code::TooLarge, message));
            }
            Ok(frame)
        });
        Ok(())
    }

    pub(super) fn sync_put(
        &mut self,
        put: &SyncPut<'_>,
        reply_to: Option<&str>,
        cause: &Cause,
    ) -> Result<(), Failure> {
        let doc = DocName::parse(&put.doc)?;
        if !permission::may_write(&self.seat.claims(), TopicName::of_document(&doc).as_str()) {
            return Err(Failure::new(Code::Forbidden, format!("not allowed to write the document {doc}")));
        }
        let time = put.timestamp.map(|given| time(given.get())).transpose()?;
        self.check_unanswered()?;
        let key: Arc<str> = Arc::from(&*put.key);
        let write = Write {
            key: key.clone(),
            value: Some(put.value.get()).filter(|value| *value != "null").map(Arc::from),
            base_version: put.base_version,
            time: time.flatten(),
            writer: self.seat.identity.borrow().client_id.shared(),
        };
        let services = self.shard.services.clone();
        let Some(call) = self.enter_store(&services, reply_to) else { return Ok(()) };
        call.sent();
        let outcome = self.shard.services.documents.put(&doc, write, cause);
        self.answer_later(reply_to, async move |reply_to, clock| match outcome.await? {
            Outcome::Applied { entry, conflict, forgotten: _ } => {
                let payload = json!({
                    "doc": doc,
                    "key": key,
                    "version": entry.version,
                    "conflict": conflict,
                    "timestamp": entry.time,
                });
                Ok(server::control("sync_applied", clock.unix_ms(), reply_to, &payload))
            }
            Outcome::Lost { current } => {
                let KeyView { value, version, timestamp, writer, key } = KeyView::of(&key, &current);
                let current =
                    json!({ "value": value, "version": version, "timestamp": timestamp, "writer": writer });
                let payload = json!({ "doc": doc, "key": key, "current": current });
                Ok(server::control("sync_conflict", clock.unix_ms(), reply_to, &payload))
            }
        });
        Ok(())
    }

    fn check_unanswered(&self) -> Result<(), Failure> {
        if self.seat.unanswered_syncs.get() < UNANSWERED_MAX {
            return Ok(());
        }
        Err(Failure::new(Code::Overloaded, format!("{UNANSWERED_MAX} requests wait for documents already")))
    }

    /// Sends what `answer` makes, when it has made it. On its own, so that a crash of this actor takes no
    /// answer along.
    fn answer_later(
        &self,
        reply_to: Option<&str>,
        answer: impl AsyncFnOnce(Option<&str>, &Clock) -> Result<Bytes, Failure> + 'static,
    ) {
        let (seat, clock) = (self.seat.clone(), self.shard.services.clock.clone());
        let reply_to = reply_to.map(str::to_owned);
        seat.unanswered_syncs.update(|waiting| waiting + 1);
        actix_rt::spawn(async move {
            let outcome = answer(reply_to.as_deref(), &clock).await;
            seat.unanswered_syncs.update(|waiting| waiting - 1);
            match outcome {
                Ok(frame) => seat.reply(&frame),
                Err(Failure { code, message }) => {
                    seat.error(code, &message, reply_to.as_deref(), clock.unix_ms());
                }
            }
        });
    }
}

/// A writer's time: RFC 3339, or milliseconds since 1970; null is none.
fn time(given: &str) -> Result<Option<HybridTime>, Failure> {
    if given == "null" {
        return Ok(None);
    }
    let text = serde_json::from_str::<String>(given).ok().and_then(|text| HybridTime::parse(&text));
    let time = text.or_else(|| given.parse::<u64>().ok().map(HybridTime::at));
    let message = "`timestamp` must be a time as 2026-11-21T01:15:22.042Z, or milliseconds since 1970";
    time.map(Some).ok_or_else(|| Failure::new(Code::InvalidField, message))
}
