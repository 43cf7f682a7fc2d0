//! What webhooks are told of connections.

use super::seat::Seat;
use super::shard::Shard;
use crate::config::WebhookEvent;
use crate::protocol::codes::Close;
use crate::webhook::Event;

impl Shard {
    pub(super) fn tell_connect(&self, seat: &Seat, resumed: bool) {
        let identity = seat.identity.borrow();
        let (client_id, claims) = (identity.client_id.as_str(), &identity.claims);
        let (subject, role) = (&*claims.sub, claims.role.as_str());
        self.services.webhooks.tell(&Event::Connect { client_id, subject, role, resumed });
    }

    pub(super) fn tell_disconnect(&self, seat: &Seat, close: Close) {
        let services = &self.services;
        if !services.webhooks.wants(WebhookEvent::Disconnect) {
            return;
        }
        let (identity, now_ms) = (seat.identity.borrow(), services.clock.unix_ms());
        let began_ms = services.clients.session(&identity.client_id).map_or(seat.since_ms, |s| s.began_ms);
        services.webhooks.tell(&Event::Disconnect {
            client_id: identity.client_id.as_str(),
            subject: &identity.claims.sub,
            code: close.code(),
            reason: close.name(),
            connection_ms: now_ms.saturating_sub(seat.since_ms),
            session_ms: now_ms.saturating_sub(began_ms),
        });
    }
}
