//! One actor a connection: does what the client asks for.
//!
//! Takes messages from the socket in order, a bounded number a turn. What a client has (topics, rooms,
//! claims) is in its seat and survives a crash; the request that crashed it gets no answer.

mod guarded;
mod publishing;
mod rooms;
mod samples;
mod sync;
mod topics;

use std::num::NonZeroU32;
use std::rc::Rc;

use actix::prelude::*;
use governor::{DefaultDirectRateLimiter, Quota};
use serde_json::json;

use super::requests::{FramesArrived, Gone};
use super::seat::Seat;
use super::shard::Shard;
use super::socket::{Inbound, Phase};
use crate::auth::permission;
use crate::clock::rfc3339;
use crate::ids::IdError;
use crate::protocol::client::{ClientFrame, FrameError, FrameType, Ping, Refresh};
use crate::protocol::codes::{Close, Code};
use crate::protocol::encoding::Encoding;
use crate::protocol::msgpack;
use crate::protocol::server::{self, Pong};
use crate::supervision::{Queued, Restart, supervised};
use crate::telemetry::{Cause, Counter};
use crate::topic::Reply;
use crate::topic::outlet::UNASKED;

/// Messages of one client before others get their turn.
const FRAMES_PER_TURN: usize = 64;

/// Time between two `flow` frames to one client, in milliseconds.
const FLOW_INTERVAL_MS: u64 = 1_000;

/// The actor of one connection.
pub struct ConnectionActor {
    shard: Rc<Shard>,
    seat: Rc<Seat>,
    /// Bad frames since the last good one.
    bad_frames: u32,
    next_request: u32,
    /// Topics that exist because this client published to them.
    opened_topics: usize,
    unacked_metrics: usize,
    /// Questions to topics whose answers are not there yet.
    reading: usize,
    /// When the client was last told to slow down, monotonic milliseconds.
    flow_told_ms: Option<u64>,
    /// What comes next waits for an answer of the store.
    waits: bool,
    /// Follows whether senders of samples are to be slow.
    follows_pace: bool,
    limiter: Option<Box<DefaultDirectRateLimiter>>,
}

/// Why a request failed.
struct Failure {
    code: Code,
    message: String,
}

impl Failure {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<IdError> for Failure {
    fn from(error: IdError) -> Self {
        Self::new(Code::InvalidName, error.to_string())
    }
}

impl From<FrameError> for Failure {
    fn from(error: FrameError) -> Self {
        Self::new(error.code, error.message)
    }
}

impl ConnectionActor {
    /// The actor of the connection in `seat`.
    pub fn new(shard: Rc<Shard>, seat: Rc<Seat>) -> Self {
        let services = &shard.services;
        let frames_per_s = NonZeroU32::new(services.settings.frames_per_s).filter(|_| services.rate_limits);
        let limiter = frames_per_s.map(|n| Box::new(DefaultDirectRateLimiter::direct(Quota::per_second(n))));
        Self {
            shard,
            seat,
            bad_frames: 0,
            next_request: UNASKED + 1,
            opened_topics: 0,
            unacked_metrics: 0,
            reading: 0,
            flow_told_ms: None,
            waits: false,
            follows_pace: false,
            limiter,
        }
    }

    fn now_ms(&self) -> u64 {
        self.shard.services.clock.unix_ms()
    }

    fn take_turn(&mut self, ctx: &mut Context<Self>) {
        for _ in 0..FRAMES_PER_TURN {
            if self.seat.socket.phase() != Phase::Open || self.waits {
                return;
            }
            match (self.seat.socket.take_inbound(), self.seat.socket.format.encoding) {
                (None, _) => return,
                (Some(Inbound::Text(text)), Encoding::Json) => self.on_text(&text, ctx),
                (Some(Inbound::Binary(packed)), Encoding::Msgpack) => self.on_packed(&packed, ctx),
                (Some(_foreign), encoding) => {
                    let (name, kind) = (encoding.sub_protocol(), encoding.kind_of_frames());
                    self.bad(Code::UnsupportedEncoding, &format!("{name} has {kind} frames only"), None);
                }
            }
        }
        self.seat.wake_actor(&Cause::own());
    }

    fn on_packed(&mut self, packed: &[u8], ctx: &mut Context<Self>) {
        match msgpack::json_of(packed, self.shard.services.settings.frame_bytes_max) {
            Ok(text) => self.on_text(&text, ctx),
            Err(error) => self.bad(error.code(), &error.to_string(), None),
        }
    }

    fn on_text(&mut self, text: &str, ctx: &mut Context<Self>) {
        let frame = match ClientFrame::parse(text) {
            Ok(frame) => frame,
            Err(error) => return self.bad(error.code, &error.message, error.reply_to.as_deref()),
        };
        let reply_to = frame.id.as_deref();
        if self.limiter.as_ref().is_some_and(|limiter| limiter.check().is_err()) {
            return self.seat.error(Code::RateLimited, "too many frames a second", reply_to, self.now_ms());
        }
        let cause = reply_to.and_then(Cause::from_outside).unwrap_or_default();
        match self.on_frame(&frame, &cause, ctx) {
            Ok(()) => self.bad_frames = 0,
            Err(failure) => self.tell_failure(frame.kind.as_str(), &failure, reply_to, &cause),
        }
    }

    fn tell_failure(&mut self, kind: &str, failure: &Failure, reply_to: Option<&str>, cause: &Cause) {
        let Failure { code, message } = failure;
        tracing::debug!(client = %self.seat.identity.borrow().client_id, cause = %cause, kind, code = code.row().name, message, "request failed");
        if matches!(code, Code::MissingField | Code::InvalidField | Code::InvalidJson) {
            self.bad(*code, message, reply_to);
        } else {
            self.seat.error(*code, message, reply_to, self.now_ms());
        }
    }

    /// A frame that is no proper request; too many in a row end the connection.
    fn bad(&mut self, code: Code, message: &str, reply_to: Option<&str>) {
        self.seat.error(code, message, reply_to, self.now_ms());
        self.bad_frames += 1;
        if self.bad_frames >= self.shard.services.settings.bad_frames_max {
            self.seat.socket.close(Close::BadFrames);
        }
    }

    fn on_frame(
        &mut self,
        frame: &ClientFrame<'_>,
        cause: &Cause,
        ctx: &mut Context<Self>,
    ) -> Result<(), Failure> {
        let role = self.seat.claims().role;
        if !permission::may_send(role, frame.kind.as_str()) {
            let message = format!("role {} may not send {}", role.as_str(), frame.kind.as_str());
            return Err(Failure::new(Code::Forbidden, message));
        }
        let reply_to = frame.id.as_deref();
        match frame.kind {
            FrameType::Ping => {
                let ping: Ping<'_> = frame.payload()?;
                let now_ms = self.now_ms();
                let pong = Pong { t: ping.t, server_time: rfc3339(now_ms) };
                self.seat.reply(&server::control("pong", now_ms, reply_to, &pong));
                Ok(())
            }
            FrameType::Subscribe => self.subscribe(&frame.payload()?, reply_to, cause),
            FrameType::Unsubscribe => self.unsubscribe(&frame.payload()?, reply_to),
            FrameType::JoinRoom => self.join_room(&frame.payload()?, reply_to, cause),
            FrameType::LeaveRoom => self.leave_room(&frame.payload()?, reply_to, cause),
            FrameType::RoomMessage => self.room_message(&frame.payload()?, reply_to, cause),
            FrameType::Publish => self.publish(frame.payload()?, reply_to, cause, ctx),
            FrameType::Ack => self.ack(&frame.payload()?, cause, ctx),
            FrameType::History => self.history(&frame.payload()?, reply_to, cause, ctx),
            FrameType::Metrics => self.metrics(frame.payload()?, reply_to, cause, ctx),
            FrameType::SyncGet => self.sync_get(&frame.payload()?, reply_to, cause),
            FrameType::SyncPut => self.sync_put(&frame.payload()?, reply_to, cause),
            FrameType::Presence => self.presence(&frame.payload()?, reply_to),
            FrameType::Refresh => self.refresh(&frame.payload()?, reply_to),
        }
    }

    fn request(&mut self) -> u32 {
        let request = self.next_request;
        self.next_request = request.wrapping_add(1).max(UNASKED + 1);
        request
    }

    /// Tells the publisher to slow down, once a second at most.
    fn tell_flow(&mut self, max_rate_hz: u32, pause_ms: u64, reason: &str) {
        let now_ms = self.shard.services.clock.monotonic_ms();
        if self.flow_told_ms.is_some_and(|told_ms| now_ms < told_ms + FLOW_INTERVAL_MS) {
            return;
        }
        self.flow_told_ms = Some(now_ms);
        self.send_flow(Some(max_rate_hz), pause_ms, reason);
    }

    fn send_flow(&self, max_rate_hz: Option<u32>, pause_ms: u64, reason: &str) {
        Counter::FlowsSent.add(1);
        let flow = json!({ "max_rate_hz": max_rate_hz, "pause_ms": pause_ms, "reason": reason });
        self.seat.reply(&server::control("flow", self.now_ms(), None, &flow));
    }

    fn reply_route(&self, reply_to: Option<&str>, kind: &'static str) -> Reply {
        Reply::Member {
            outlet: self.shard.outlet.clone(),
            member: self.seat.member,
            reply_to: reply_to.map(Box::from),
            kind,
        }
    }

    fn refresh(&self, refresh: &Refresh<'_>, reply_to: Option<&str>) -> Result<(), Failure> {
        let now_ms = self.now_ms();
        let fresh = self.shard.services.auth.authenticate(&refresh.token, now_ms);
        let claims = fresh.map_err(|error| Failure::new(error.code(), error.to_string()))?;
        if claims.sub != self.seat.claims().sub {
            return Err(Failure::new(Code::Forbidden, "the token is of another subject"));
        }
        let expires_at_ms = claims.expires_at_ms();
        self.seat.identity.borrow_mut().claims = claims.into();
        self.shard.watch_token(self.seat.member, expires_at_ms);
        let payload = json!({ "expires_at": rfc3339(expires_at_ms) });
        self.seat.reply(&server::control("refreshed", now_ms, reply_to, &payload));
        Ok(())
    }
}

impl Restart for ConnectionActor {
    const KIND: &'static str = "connection";

    fn fresh(&self) -> Self {
        Self::new(self.shard.clone(), self.seat.clone())
    }
}

supervised!(ConnectionActor);

impl Actor for ConnectionActor {
    type Context = Context<Self>;

    fn started(&mut self, _ctx: &mut Self::Context) {
        // After a crash the wake-up may have been the message that was lost.
        self.seat.actor_is_awake();
        self.seat.wake_actor(&Cause::own());
    }
}

impl Handler<Queued<FramesArrived>> for ConnectionActor {
    type Result = ();

    fn handle(&mut self, _wake: Queued<FramesArrived>, ctx: &mut Self::Context) {
        self.seat.actor_is_awake();
        self.take_turn(ctx);
    }
}

impl Handler<Queued<Gone>> for ConnectionActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Gone>, ctx: &mut Self::Context) {
        for room in std::mem::take(&mut *self.seat.rooms.borrow_mut()) {
            self.shard.part(&self.seat, &room, true, &queued.cause);
        }
        ctx.stop();
    }
}
