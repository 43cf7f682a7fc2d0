//! What time does to connections: tokens run out or are taken back, sockets do not move.

use std::cmp::Reverse;

use super::shard::Shard;
use super::socket::Phase;
use crate::protocol::codes::Close;
use crate::protocol::server;
use crate::telemetry::Counter;
use crate::topic::Member;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TokenDue {
    pub(super) at_ms: u64,
    pub(super) slot: u32,
    pub(super) generation: u32,
}

impl Shard {
    /// Notes when the seat's token must be warned about.
    pub fn watch_token(&self, member: Member, expires_at_ms: u64) {
        let at_ms = expires_at_ms.saturating_sub(self.services.settings.token_warning_ms);
        let due = TokenDue { at_ms, slot: member.slot, generation: member.generation };
        self.token_dues.borrow_mut().push(Reverse(due));
    }

    /// Closes connections whose token was taken back, or counts as expired before its time.
    pub fn check_revocations(&self) {
        let auth = &self.services.auth;
        for seat in self.seats() {
            if auth.revocations().contain(&seat.claims()) {
                self.end(&seat, Close::Forbidden);
            } else if auth.is_expired_early(&seat.claims()) {
                Counter::FaultsInjected.add_for("expired_tokens", 1);
                self.end(&seat, Close::TokenExpired);
            }
        }
    }

    /// Warns of tokens that are about to expire, and closes connections whose token has.
    pub fn check_tokens(&self, now_ms: u64) {
        loop {
            let due = {
                let mut dues = self.token_dues.borrow_mut();
                if dues.peek().is_none_or(|Reverse(due)| due.at_ms > now_ms) {
                    return;
                }
                dues.pop()
            };
            let Some(Reverse(due)) = due else { return };
            let Some(seat) = self.seat(Member { slot: due.slot, generation: due.generation }) else {
                continue;
            };
            let expires_at_ms = seat.identity.borrow().claims.expires_at_ms();
            if expires_at_ms <= now_ms {
                self.end(&seat, Close::TokenExpired);
            } else if expires_at_ms.saturating_sub(self.services.settings.token_warning_ms) <= now_ms {
                let payload = serde_json::json!({ "expires_at": crate::clock::rfc3339(expires_at_ms) });
                seat.reply(&server::control("token_expiring", now_ms, None, &payload));
                let due = TokenDue { at_ms: expires_at_ms, ..due };
                self.token_dues.borrow_mut().push(Reverse(due));
            }
        }
    }

    /// Closes connections whose outbox has not moved for the write deadline; ends those that do not finish closing.
    /// `now_ms` is monotonic.
    pub fn check_deadlines(&self, now_ms: u64) {
        let settings = &self.services.settings;
        for (_, seat) in self.seats.borrow().iter() {
            self.tell_lag(seat);
            let closing = matches!(seat.socket.phase(), Phase::Closing(_));
            if seat.socket.outbox_bytes() == 0 && !closing {
                seat.stuck_since.set(None);
                continue;
            }
            let bytes_out = seat.socket.bytes_out.get();
            let (since_ms, at) = seat.stuck_since.get().unwrap_or((now_ms, bytes_out));
            if at != bytes_out {
                seat.stuck_since.set(Some((now_ms, bytes_out)));
                continue;
            }
            seat.stuck_since.set(Some((since_ms, at)));
            let limit_ms = if closing { settings.close_grace_ms } else { settings.write_deadline_ms };
            if now_ms.saturating_sub(since_ms) >= limit_ms {
                // A client that does not read cannot be told: cut.
                seat.socket.cut(Close::Slow);
            }
        }
        for topic in std::mem::take(&mut *self.untold.borrow_mut()) {
            self.tell_leave(topic);
        }
    }
}
