//! The actor of one room.
//!
//! A member is let in in one step of the room topic's order: the others hear `member_joined`, then the
//! newcomer is subscribed, with the members and the newest messages in the answer. In a large room who comes and
//! goes is told together, once an interval. Who lost its connection stays for a moment, and when it comes
//! back in time nothing is told. All of that is shared with the directory and survives a crash.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::value::RawValue;

use super::membership::{Diff, Joined, Members, Membership, RoomMember, Seated};
use super::owed::OwedJoin;
use super::presence::Presence;
use crate::broker::Broker;
use crate::clock::{Clock, rfc3339};
use crate::config::RoomSection;
use crate::ids::{RoomName, TopicName};
use crate::protocol::priority::Priority;
use crate::protocol::server;
use crate::supervision::{Queued, Restart, supervised};
use crate::telemetry::{Cause, Counter};
use crate::topic::{Announce, Member, Outlet, Subscribe, TopicError, TopicHandle};
use crate::webhook::{Event, Webhooks};

/// Past messages that a newcomer gets.
pub const HISTORY_ON_JOIN: usize = 50;

/// Let a connection in. The answer comes through its outlet. Refused when the mailbox is full.
pub struct Join {
    /// The session's name.
    pub client_id: Arc<str>,
    /// Who it is.
    pub subject: Arc<str>,
    /// What it shows of itself.
    pub info: Option<Arc<RawValue>>,
    /// The connection's worker.
    pub outlet: Outlet,
    /// The connection.
    pub member: Member,
    /// Number of the request on that connection.
    pub request: u32,
}

impl Join {
    fn seated(&self) -> Seated {
        Seated { worker: self.outlet.index(), member: self.member }
    }
}

/// Let a client out that is in by this connection.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Part {
    /// The session's name.
    pub client_id: Arc<str>,
    /// The connection.
    pub seated: Seated,
    /// Whether the connection is lost: the client may come back. Otherwise it asked to leave.
    pub lost: bool,
}

/// Other hub nodes let members in or out: tell the members.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct TellUntold;

/// What a room is made of, again after each crash.
#[derive(Clone)]
pub struct RoomArgs {
    /// Its name.
    pub name: RoomName,
    /// Who is in; outlives the actor.
    pub membership: Arc<Mutex<Membership>>,
    /// Has the room's topic.
    pub broker: Broker,
    /// Told when the room fills and empties.
    pub webhooks: Webhooks,
    /// Tells other hub nodes, which see to it who tells webhooks.
    pub(super) presence: Option<Presence>,
    /// Bounds and times.
    pub settings: Arc<RoomSection>,
    /// Time.
    pub clock: Clock,
}

/// One room.
pub struct RoomActor {
    /// A diff is on its way.
    diff_due: bool,
    /// A check of who is away is on its way.
    expiry_due: bool,
    args: RoomArgs,
}

/// Payload of `member_joined` and `member_left`.
#[derive(Serialize)]
struct OneMember<'a> {
    room: &'a RoomName,
    member: &'a RoomMember,
    total: usize,
}

/// The members, or what changed of them, with the room's name.
#[derive(Serialize)]
struct InRoom<'a, T> {
    room: &'a RoomName,
    #[serde(flatten)]
    told: T,
}

impl RoomActor {
    /// The room with who is in.
    pub fn new(args: RoomArgs) -> Self {
        Self { diff_due: false, expiry_due: false, args }
    }

    fn topic(&self) -> Result<TopicHandle, TopicError> {
        self.args.broker.open(&TopicName::of_room(&self.args.name))
    }

    /// Tells the members; false when the topic did not take it.
    fn announce<T: Serialize>(&self, kind: &str, payload: &T, cause: &Cause) -> bool {
        let frame = server::control(kind, self.args.clock.unix_ms(), None, payload);
        let announce = Announce { frame, priority: Priority::Normal };
        self.topic().and_then(|topic| topic.announce(announce, cause)).is_ok()
    }

    fn announce_one(&self, kind: &str, member: &RoomMember, total: usize, cause: &Cause) {
        if !self.announce(kind, &OneMember { room: &self.args.name, member, total }, cause) {
            Counter::Dropped.add_for("presence", 1);
        }
    }

    /// Whether a change waits for the next diff: the room has this many members, or others wait already.
    fn collects(&self, members: usize) -> bool {
        members > self.args.settings.diff_above_members || self.args.membership.lock().owes()
    }

    fn tell_joined(&mut self, member: &RoomMember, joined: Joined, cause: &Cause, ctx: &mut Context<Self>) {
        let total = self.args.membership.lock().len();
        self.tell_occupancy(member);
        if self.collects(total) {
            self.args.membership.lock().owe_join(&member.client_id, joined);
            self.plan_diff(ctx);
        } else {
            self.announce_one("member_joined", member, total, cause);
        }
    }

    fn tell_left(&mut self, member: &RoomMember, cause: &Cause, ctx: &mut Context<Self>) {
        let total = self.args.membership.lock().len();
        self.tell_occupancy(member);
        if self.collects(total + 1) {
            self.args.membership.lock().owe_leave(member);
            self.plan_diff(ctx);
        } else {
            self.announce_one("member_left", member, total, cause);
        }
    }

    /// Tells what came from other nodes.
    fn tell_untold(&mut self, ctx: &mut Context<Self>) {
        let mut membership = self.args.membership.lock();
        let total = membership.len();
        if !membership.owes() {
            return;
        }
        if self.diff_due || total > self.args.settings.diff_above_members {
            drop(membership);
            return self.plan_diff(ctx);
        }
        let untold = membership.take_untold();
        drop(membership);
        // Counted as if they came and went one after the other, which is what is told.
        let newly = untold.joined.iter().filter(|(_, joined)| *joined == Joined::Newly).count();
        let mut total = (total + untold.left.len()).saturating_sub(newly);
        for (member, joined) in &untold.joined {
            total += usize::from(*joined == Joined::Newly);
            self.announce_one("member_joined", member, total, &Cause::own());
        }
        for member in &untold.left {
            total = total.saturating_sub(1);
            self.announce_one("member_left", member, total, &Cause::own());
        }
    }

    /// Tells other nodes.
    fn tell_nodes(&self, client_id: &Arc<str>) {
        if let Some(presence) = &self.args.presence {
            presence.changed(&self.args.name, client_id);
        }
    }

    /// Tells other programs when the first member is in, or the last one out.
    fn tell_occupancy(&self, member: &RoomMember) {
        if self.args.presence.is_some() {
            return;
        }
        let changed = self.args.membership.lock().take_occupancy();
        let (room, client_id) = (self.args.name.as_str(), &*member.client_id);
        match changed {
            Some(true) => self.args.webhooks.tell(&Event::RoomOccupied { room, client_id }),
            Some(false) => self.args.webhooks.tell(&Event::RoomVacated { room, client_id }),
            None => {}
        }
    }

    /// Sends the next diff on its way, unless one is, or there is nothing to tell.
    fn plan_diff(&mut self, ctx: &mut Context<Self>) {
        if self.diff_due || !self.args.membership.lock().owes() {
            return;
        }
        self.diff_due = true;
        ctx.run_later(Duration::from_millis(self.args.settings.diff_interval_ms), |actor, ctx| {
            actor.diff_due = false;
            let diff: Option<Diff> = actor.args.membership.lock().diff(actor.args.settings.members_shown_max);
            let told = diff.is_none_or(|told| {
                actor.announce("presence_diff", &InRoom { room: &actor.args.name, told }, &Cause::own())
            });
            if told {
                actor.args.membership.lock().told();
            }
            // What the topic did not take is told with the next one.
            actor.plan_diff(ctx);
        });
    }

    /// Sends the check of who is away on its way, unless one is, or nobody is.
    fn plan_expiry(&mut self, ctx: &mut Context<Self>) {
        let away_since_ms = self.args.membership.lock().away_since_ms();
        let Some(away_since_ms) = away_since_ms.filter(|_| !self.expiry_due) else { return };
        self.expiry_due = true;
        let due_ms = away_since_ms.saturating_add(self.args.settings.grace_ms);
        let pause_ms = due_ms.saturating_sub(self.args.clock.monotonic_ms()).max(1);
        ctx.run_later(Duration::from_millis(pause_ms), |actor, ctx| {
            actor.expiry_due = false;
            let now_ms = actor.args.clock.monotonic_ms();
            let gone = actor.args.membership.lock().expire(now_ms, actor.args.settings.grace_ms);
            for (left, client_id) in gone {
                actor.tell_nodes(&client_id);
                if let Some(member) = left {
                    actor.tell_left(&member, &Cause::own(), ctx);
                }
            }
            actor.tell_untold(ctx);
            actor.plan_expiry(ctx);
        });
    }

    fn let_in(&mut self, owed: OwedJoin, cause: &Cause, ctx: &mut Context<Self>) {
        let Some(join) = owed.join() else { return };
        let topic = match self.topic() {
            Ok(topic) => topic,
            Err(error) => return owed.refuse(error),
        };
        let now_ms = self.args.clock.unix_ms();
        let since = rfc3339(now_ms);
        let (client_id, seated) = (join.client_id.clone(), join.seated());
        let (subject, info) = (join.subject.clone(), join.info.clone());
        let member = RoomMember { client_id: client_id.clone(), subject, info, since };
        let (joined, member) = self.args.membership.lock().join(member, seated, now_ms);
        self.tell_nodes(&client_id);
        if joined != Joined::Again {
            self.tell_joined(&member, joined, cause, ctx);
        }
        let told: Members = self.args.membership.lock().members(self.args.settings.members_shown_max);
        let attachment = serde_json::value::to_raw_value(&InRoom { room: &self.args.name, told });
        let subscribe = Subscribe {
            outlet: join.outlet.clone(),
            member: join.member,
            request: join.request,
            recover: None,
            taken: None,
            filter: None,
            history: HISTORY_ON_JOIN,
            attachment: attachment.ok(),
        };
        match topic.subscribe(subscribe, cause) {
            Ok(()) => owed.hand_on(),
            Err(error) => {
                let left = self.args.membership.lock().leave(&client_id, seated);
                self.tell_nodes(&client_id);
                if let Some(member) = left {
                    self.tell_left(&member, cause, ctx);
                }
                owed.refuse(error);
            }
        }
    }
}

impl Restart for RoomActor {
    const KIND: &'static str = "room";

    fn fresh(&self) -> Self {
        Self::new(self.args.clone())
    }
}

supervised!(RoomActor);

impl Actor for RoomActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // After a crash: what was on its way then.
        self.plan_diff(ctx);
        self.plan_expiry(ctx);
    }
}

impl Handler<Queued<OwedJoin>> for RoomActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<OwedJoin>, ctx: &mut Self::Context) {
        let cause = queued.cause.clone();
        self.let_in(queued.msg, &cause, ctx);
    }
}

impl Handler<Queued<Part>> for RoomActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Part>, ctx: &mut Self::Context) {
        let Part { client_id, seated, lost } = &queued.msg;
        if *lost && self.args.settings.grace_ms > 0 {
            let now_ms = self.args.clock.monotonic_ms();
            self.args.membership.lock().lose(client_id, *seated, now_ms);
            return self.plan_expiry(ctx);
        }
        let left = self.args.membership.lock().leave(client_id, *seated);
        self.tell_nodes(client_id);
        if let Some(member) = left {
            self.tell_left(&member, &queued.cause, ctx);
        }
        self.tell_untold(ctx);
    }
}

impl Handler<Queued<TellUntold>> for RoomActor {
    type Result = ();

    fn handle(&mut self, _queued: Queued<TellUntold>, ctx: &mut Self::Context) {
        self.tell_untold(ctx);
    }
}
