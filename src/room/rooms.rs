//! All rooms: a name to an actor, made on first join, forgotten when empty.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use parking_lot::{Mutex, RwLock};

use super::actor::{Join, Part, RoomActor, RoomArgs};
use super::membership::{Members, Membership};
use super::owed::OwedJoin;
use super::presence::Presence;
use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::RoomSection;
use crate::engine::Carrier;
use crate::ids::RoomName;
use crate::protocol::codes::Code;
use crate::supervision::{Inbox, Restart, Tree, supervised};
use crate::telemetry::{Cause, Gauge};
use crate::webhook::Webhooks;

/// Rooms that may exist at once.
pub(super) const ROOMS_MAX: usize = 50_000;

/// Time between sweeps for empty rooms, in milliseconds.
const SWEEP_INTERVAL_MS: u64 = 10_000;

/// Why a room could not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoomError {
    /// The hub has as many rooms as it may.
    #[error("the hub has {ROOMS_MAX} rooms, which is its limit")]
    TooManyRooms,
    /// The room's mailbox is full.
    #[error("the room is overloaded; try again")]
    Overloaded,
}

impl RoomError {
    /// Row of the table of codes.
    pub fn code(self) -> Code {
        Code::Overloaded
    }
}

pub(super) struct Room {
    pub(super) membership: Arc<Mutex<Membership>>,
    /// None as long as nobody was in by this node.
    pub(super) inbox: Option<Inbox<RoomActor>>,
}

impl Room {
    /// A room that is known of other nodes.
    pub(super) fn quiet() -> Self {
        Self { membership: Arc::default(), inbox: None }
    }

    /// Its actor, if there is one that takes messages.
    fn actor(&self) -> Option<&Inbox<RoomActor>> {
        self.inbox.as_ref().filter(|inbox| !inbox.is_closed())
    }
}

/// The directory of rooms. Cheap to clone.
#[derive(Clone)]
pub struct Rooms(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) rooms: RwLock<BTreeMap<RoomName, Room>>,
    tree: Tree,
    pub(super) broker: Broker,
    webhooks: Webhooks,
    /// The other hub nodes, if there may be some.
    presence: Option<Presence>,
    settings: Arc<RoomSection>,
    clock: Clock,
}

/// One room in a list.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct RoomRow {
    /// Its name.
    pub room: String,
    /// How many are in.
    pub members: usize,
    /// Since when somebody has been in, RFC 3339.
    pub occupied_since: Option<String>,
}

impl Rooms {
    /// A directory without rooms; with the carrier, of all hub nodes that it reaches.
    pub fn new(
        (tree, broker, webhooks): (Tree, Broker, Webhooks),
        settings: RoomSection,
        carrier: Option<&Carrier>,
        clock: Clock,
    ) -> Self {
        let settings = Arc::new(settings);
        // Who does not hear what is said in a room is not in it: the topic is shared where the store is.
        let carrier = carrier.filter(|_| broker.shares_store());
        let presence = carrier.map(|carrier| {
            Presence::new(carrier.clone(), webhooks.clone(), clock.clone(), settings.presence_ttl_ms)
        });
        let rooms = RwLock::default();
        Self(Arc::new(Shared { rooms, tree, broker, webhooks, presence, settings, clock }))
    }

    /// Longest `info` of a member, in bytes.
    pub fn info_bytes_max(&self) -> usize {
        self.0.settings.info_bytes_max
    }

    /// Lets a connection in. Whatever becomes of the room's actor, the answer comes through `join.outlet`, unless this
    /// refuses at once.
    pub fn join(&self, room: &RoomName, join: Join, cause: &Cause) -> Result<(), RoomError> {
        // Sent under the lock, so that a sweep does not take the room away in between.
        let mut rooms = self.0.rooms.write();
        let sent = self.open(&mut rooms, room)?.try_send(OwedJoin::new(join), cause);
        sent.map_err(|refused| {
            // The caller answers.
            refused.into_inner().hand_on();
            RoomError::Overloaded
        })
    }

    /// Lets a client out; `Err` when the mailbox is full: tell again later.
    pub fn part(&self, room: &RoomName, part: Part, cause: &Cause) -> Result<(), RoomError> {
        let known = self.0.rooms.read().get(room).map(|known| known.actor().cloned());
        let inbox = match known {
            None => return Ok(()),
            Some(None) => self.open(&mut self.0.rooms.write(), room)?,
            Some(Some(inbox)) => inbox,
        };
        inbox.try_send(part, cause).map_err(|_refused| RoomError::Overloaded)
    }

    /// The room's actor. One that was given up is made anew, with those who are in.
    pub(super) fn open(
        &self,
        rooms: &mut BTreeMap<RoomName, Room>,
        name: &RoomName,
    ) -> Result<Inbox<RoomActor>, RoomError> {
        let known = rooms.get(name);
        if let Some(inbox) = known.and_then(Room::actor) {
            return Ok(inbox.clone());
        }
        let membership = known.map(|known| known.membership.clone());
        if membership.is_none() && rooms.len() >= ROOMS_MAX {
            return Err(RoomError::TooManyRooms);
        }
        let membership = membership.unwrap_or_default();
        let args = RoomArgs {
            name: name.clone(),
            membership: membership.clone(),
            broker: self.0.broker.clone(),
            webhooks: self.0.webhooks.clone(),
            presence: self.0.presence.clone(),
            settings: self.0.settings.clone(),
            clock: self.0.clock.clone(),
        };
        let inbox = self.0.tree.start(name.shared(), RoomActor::new(args), None);
        rooms.insert(name.clone(), Room { membership, inbox: Some(inbox.clone()) });
        Ok(inbox)
    }

    /// The members of a room, as many as an answer lists; `None` when nobody is in.
    pub fn members(&self, room: &RoomName) -> Option<Members> {
        let rooms = self.0.rooms.read();
        let membership = rooms.get(room)?.membership.lock();
        (!membership.is_empty()).then(|| membership.members(self.0.settings.members_shown_max))
    }

    /// At most `limit` occupied rooms by name, after `after`.
    pub fn page(&self, after: Option<&str>, limit: usize) -> Vec<RoomRow> {
        let rooms = self.0.rooms.read();
        let rows = rooms.iter().filter(|(name, _)| after.is_none_or(|after| name.as_str() > after));
        rows.filter_map(|(name, room)| {
            let membership = room.membership.lock();
            (!membership.is_empty()).then(|| RoomRow {
                room: name.to_string(),
                members: membership.len(),
                occupied_since: membership.occupied_since().map(str::to_owned),
            })
        })
        .take(limit)
        .collect()
    }

    /// Occupied rooms.
    pub fn occupied(&self) -> usize {
        self.0.rooms.read().values().filter(|room| !room.membership.lock().is_empty()).count()
    }

    /// This hub ends: other nodes are told that who is in by it may come to them.
    pub async fn end(&self) {
        if let Some(presence) = &self.0.presence
            && let Err(error) = presence.end(self, self.0.settings.grace_ms).await
        {
            tracing::debug!(%error, "other nodes find out by themselves who is out of rooms");
        }
    }

    fn sweep(&self) {
        self.0.rooms.write().retain(|_, room| !room.membership.lock().is_empty());
        Gauge::Rooms.set(self.occupied() as u64);
    }
}

/// The parent of the rooms: sweeps empty ones, and goes between them and other hub nodes. Owns nothing that a restart could lose.
pub struct RoomsActor {
    rooms: Rooms,
}

impl RoomsActor {
    /// The parent of these rooms.
    pub fn new(rooms: Rooms) -> Self {
        Self { rooms }
    }
}

impl Restart for RoomsActor {
    const KIND: &'static str = "rooms";

    fn fresh(&self) -> Self {
        Self::new(self.rooms.clone())
    }
}

supervised!(RoomsActor);

impl Actor for RoomsActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(Duration::from_millis(SWEEP_INTERVAL_MS), |actor, _ctx| actor.rooms.sweep());
        if let Some(presence) = self.rooms.0.presence.clone() {
            let rooms = self.rooms.clone();
            ctx.spawn(async move { presence.run(&rooms).await }.into_actor(self));
        }
    }
}
