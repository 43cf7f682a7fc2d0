//! Who is here: client ids across workers, for take-over, lists and counts.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::seat::Seat;
use super::{Identity, Shards};
use crate::ids::ClientId;
use crate::protocol::codes::Close;
use crate::topic::Member;

/// Why a client id cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Somebody else's session has it.
    #[error("the client id belongs to another subject")]
    AnotherSubject,
    /// The hub has as many connections as it may.
    #[error("the hub has {connections_max} connections, which is its limit")]
    TooMany {
        /// The bound.
        connections_max: usize,
    },
}

/// What the hub knows of one client id.
#[derive(Debug, Clone)]
pub struct Client {
    /// Whose it is.
    pub subject: Arc<str>,
    /// The role of the last connection.
    pub role: &'static str,
    /// Address of the last connection.
    pub address: std::net::IpAddr,
    /// When the last connection opened, unix milliseconds.
    pub since_ms: u64,
    /// When it closed; `None` while it is open.
    pub left_ms: Option<u64>,
    /// How often the client came back.
    pub reconnects: u32,
    arrived: Arrived,
    place: Option<(u32, Member)>,
}

/// Which of the connections of one client id arrived: of two at once the later one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived(u64);

/// The directory. Cheap to clone.
#[derive(Clone)]
pub struct Clients {
    known: Arc<Mutex<Known>>,
    shards: Shards,
}

#[derive(Default)]
struct Known {
    clients: HashMap<ClientId, Client>,
    connected: usize,
    peak: usize,
    reconnects: u64,
    arrivals: u64,
}

impl Clients {
    /// An empty directory over these workers.
    pub fn new(shards: Shards) -> Self {
        Self { known: Arc::default(), shards }
    }

    /// Reserves a client id for a connection that is about to open. The former one is closed as replaced.
    pub fn arrive(
        &self,
        identity: &Identity,
        now_ms: u64,
        connections_max: usize,
    ) -> Result<Arrived, ClientError> {
        let mut known = self.known.lock();
        let subject = &*identity.claims.sub;
        let former = known.clients.get(&identity.client_id);
        // Who takes a connection over frees its place.
        let takes_over = former.is_some_and(|client| client.place.is_some());
        if known.connected >= connections_max && !takes_over {
            return Err(ClientError::TooMany { connections_max });
        }
        if former.is_some_and(|client| &*client.subject != subject) {
            return Err(ClientError::AnotherSubject);
        }
        let reconnects = former.map_or(0, |client| client.reconnects + 1);
        let shared: Arc<str> = former.map_or_else(|| subject.into(), |client| client.subject.clone());
        if let Some((worker, member)) = former.and_then(|client| client.place) {
            self.shards.close(worker as usize, member, Close::Replaced);
        }
        known.arrivals += 1;
        let arrived = Arrived(known.arrivals);
        known.connected += 1;
        known.peak = known.peak.max(known.connected);
        known.reconnects += u64::from(reconnects > 0);
        let client = Client {
            subject: shared,
            role: identity.claims.role.as_str(),
            address: identity.address,
            since_ms: now_ms,
            left_ms: None,
            reconnects,
            arrived,
            place: None,
        };
        known.clients.insert(identity.client_id.clone(), client);
        Ok(arrived)
    }

    /// The connection that arrived has its seat. When another one took the id over meanwhile, on another
    /// worker, that could not close this one yet: it is closed now.
    pub fn seated(&self, id: &ClientId, arrived: Arrived, worker: usize, member: Member) {
        match self.known.lock().clients.get_mut(id).filter(|client| client.arrived == arrived) {
            Some(client) => client.place = Some((u32::try_from(worker).unwrap_or(u32::MAX), member)),
            None => self.shards.close(worker, member, Close::Replaced),
        }
    }

    /// The connection that arrived never got a seat.
    pub fn turned_away(&self, id: &ClientId, now_ms: u64) {
        let mut known = self.known.lock();
        known.connected = known.connected.saturating_sub(1);
        if let Some(client) = known.clients.get_mut(id) {
            client.left_ms = Some(now_ms);
        }
    }

    /// A connection is over.
    pub(super) fn left(&self, seat: &Seat, worker: usize, now_ms: u64) {
        let mut known = self.known.lock();
        known.connected = known.connected.saturating_sub(1);
        let place = (u32::try_from(worker).unwrap_or(u32::MAX), seat.member);
        let id = seat.identity.borrow().client_id.clone();
        if let Some(client) = known.clients.get_mut(&id).filter(|client| client.place == Some(place)) {
            client.place = None;
            client.left_ms = Some(now_ms);
        }
    }

    /// Closes the connection of a client; false when there is none.
    pub fn disconnect(&self, id: &ClientId) -> bool {
        let place = self.known.lock().clients.get(id).and_then(|client| client.place);
        if let Some((worker, member)) = place {
            self.shards.close(worker as usize, member, Close::Normal);
        }
        place.is_some()
    }

    /// Forgets sessions that ended longer ago than `ttl_ms`, the longest ended first when there are more than `sessions_max`.
    pub fn forget(&self, now_ms: u64, ttl_ms: u64, sessions_max: usize) {
        let mut known = self.known.lock();
        known.clients.retain(|_, c| c.left_ms.is_none_or(|left_ms| left_ms.saturating_add(ttl_ms) > now_ms));
        let ended = known.clients.values().filter(|c| c.left_ms.is_some()).count();
        if ended > sessions_max {
            let mut ends: Vec<u64> = known.clients.values().filter_map(|c| c.left_ms).collect();
            ends.sort_unstable();
            let keep_from = ends.get(ended - sessions_max).copied().unwrap_or(u64::MAX);
            known.clients.retain(|_, c| c.left_ms.is_none_or(|left_ms| left_ms >= keep_from));
        }
    }

    /// All known clients.
    pub fn all(&self) -> Vec<(ClientId, Client)> {
        self.known.lock().clients.iter().map(|(id, client)| (id.clone(), client.clone())).collect()
    }

    /// Open connections, most at once, and how often somebody came back.
    pub fn counts(&self) -> (usize, usize, u64) {
        let known = self.known.lock();
        (known.connected, known.peak, known.reconnects)
    }
}
