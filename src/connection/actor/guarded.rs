//! What a client publishes passes the breakers first.

use super::ConnectionActor;
use crate::breaker::{Call, Refused, Subsystem};
use crate::broker::Guarded;
use crate::connection::Services;
use crate::ids::TopicName;
use crate::protocol::codes::Code;
use crate::protocol::priority::Priority;
use crate::protocol::server;
use crate::telemetry::Counter;

impl ConnectionActor {
    /// Asks the breakers for a publish to `topic`. `None`: refused, and the client was told when to come back.
    /// Critical messages and the hub's own topics need only the store.
    pub(super) fn enter<'a>(
        &mut self,
        services: &'a Services,
        topic: &TopicName,
        priority: Option<Priority>,
        reply_to: Option<&str>,
    ) -> Option<Guarded<'a>> {
        let kind = services.broker.kind(topic);
        let is_urgent = priority.unwrap_or(kind.priority) == Priority::Critical;
        let own = (!is_urgent && !kind.hub_owned).then_some(Subsystem::Streaming);
        match Guarded::enter(&services.breakers, own, kind) {
            Ok(guarded) => Some(guarded),
            Err(refused) => {
                self.turn_away(&refused, reply_to);
                None
            }
        }
    }

    /// Asks the breaker of the store for a write of its own. `None`: refused, and the client was told.
    pub(super) fn enter_store<'a>(
        &mut self,
        services: &'a Services,
        reply_to: Option<&str>,
    ) -> Option<Call<'a>> {
        let entered = services.breakers.enter(Subsystem::Store);
        entered.map_err(|refused| self.turn_away(&refused, reply_to)).ok()
    }

    fn turn_away(&mut self, refused: &Refused, reply_to: Option<&str>) {
        let (now_ms, pause_ms) = (self.now_ms(), refused.wait_ms());
        let code = match refused.subsystem {
            Subsystem::Store => Code::StoreUnavailable,
            _ => Code::BreakerOpen,
        };
        Counter::ErrorsSent.add_for(code.row().name, 1);
        self.seat.reply(&server::error_after(code, &refused.to_string(), pause_ms, now_ms, reply_to));
        self.tell_flow(1, pause_ms, &format!("{} is degraded", refused.subsystem.name()));
    }
}
