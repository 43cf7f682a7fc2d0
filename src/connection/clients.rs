//! Who is here: client ids across workers, for take-over, lists and counts.

mod personal;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::seat::Seat;
use super::session::Session;
use super::{Identity, Shards};
use crate::auth::Role;
use crate::ids::ClientId;
use crate::protocol::codes::Close;
use crate::store::SessionRecord;
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
    pub role: Role,
    /// Address of the last connection.
    pub address: std::net::IpAddr,
    /// When the last connection opened, unix milliseconds.
    pub since_ms: u64,
    /// When it closed, in time that does not jump; `None` while it is open.
    pub left_ms: Option<u64>,
    /// How often the client came back.
    pub reconnects: u32,
    /// What it remembers.
    pub session: Session,
    arrived: Arrived,
    place: Option<(u32, Member)>,
}

impl Client {
    /// Worker and member of its connection, while that is seated.
    pub fn place(&self) -> Option<(usize, Member)> {
        self.place.map(|(worker, member)| (worker as usize, member))
    }
}

/// Which of the connections of one client id arrived: of two at once the later one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived(u64);

impl Arrived {
    /// None of them: the session was read from the store.
    const NEVER: Self = Self(0);
}

/// What came of an arrival.
#[derive(Debug)]
pub struct Arrival {
    /// Which one it is.
    pub arrived: Arrived,
    /// The client id had a session.
    pub resumed: bool,
    /// The connection that still has the client id: worker and member.
    pub takes_over: Option<(usize, Member)>,
}

/// The directory. Cheap to clone.
#[derive(Clone)]
pub struct Clients {
    known: Arc<Mutex<Known>>,
    shards: Shards,
    /// This life of the hub, where several nodes share sessions; empty otherwise.
    hub: Arc<str>,
}

#[derive(Default)]
struct Known {
    clients: HashMap<ClientId, Client>,
    connected: usize,
    peak: usize,
    reconnects: u64,
    arrivals: u64,
    /// Sessions of each subject.
    subjects: HashMap<Arc<str>, u32>,
    /// Sessions that changed since they were last written, besides those that came or went.
    changed: HashSet<ClientId>,
}

impl Known {
    /// One text for all sessions of a subject; counts one more.
    fn shared_subject(&mut self, subject: &str) -> Arc<str> {
        if let Some((shared, sessions)) = self.subjects.get_key_value(subject) {
            let (shared, sessions) = (shared.clone(), sessions + 1);
            self.subjects.insert(shared.clone(), sessions);
            return shared;
        }
        let shared: Arc<str> = subject.into();
        self.subjects.insert(shared.clone(), 1);
        shared
    }

    /// What is known here is newer than what was written.
    fn is_newer(&self, record: &SessionRecord) -> bool {
        let known = ClientId::parse(&record.client_id).ok().and_then(|id| self.clients.get(&id));
        known.is_some_and(|client| {
            let was_here = client.arrived != Arrived::NEVER;
            client.place.is_some() || (was_here && client.since_ms >= record.connected_at_ms)
        })
    }

    /// One session of a subject less.
    fn release_subject(&mut self, subject: &str) {
        if let Some(sessions) = self.subjects.get_mut(subject) {
            *sessions -= 1;
            if *sessions == 0 {
                self.subjects.remove(subject);
            }
        }
    }
}

impl Clients {
    /// An empty directory over these workers. `hub` tells this life of the hub from others that share its sessions.
    pub fn new(shards: Shards, hub: &str) -> Self {
        Self { known: Arc::default(), shards, hub: hub.into() }
    }

    /// This life of the hub.
    pub fn hub(&self) -> &str {
        &self.hub
    }

    /// Where the connection of a client is: worker and member.
    pub fn place(&self, id: &ClientId) -> Option<(usize, Member)> {
        self.known.lock().clients.get(id).and_then(Client::place)
    }

    /// Reserves a client id for a connection that is about to open. The caller takes the former connection's place over.
    /// Of two connections the later one is newer by `since_ms`, too, whatever clocks say.
    pub fn arrive(
        &self,
        identity: &Identity,
        now_ms: u64,
        connections_max: usize,
    ) -> Result<Arrival, ClientError> {
        let mut known = self.known.lock();
        let subject = &*identity.claims.sub;
        let former = known.clients.remove(&identity.client_id);
        // Who takes a connection over frees its place.
        let takes_over = former.as_ref().and_then(|client| client.place);
        let refused = if known.connected >= connections_max && takes_over.is_none() {
            Some(ClientError::TooMany { connections_max })
        } else {
            let another = former.as_ref().is_some_and(|client| &*client.subject != subject);
            another.then_some(ClientError::AnotherSubject)
        };
        if let Some(refused) = refused {
            known.clients.extend(former.map(|former| (identity.client_id.clone(), former)));
            return Err(refused);
        }
        known.arrivals += 1;
        let arrived = Arrived(known.arrivals);
        known.connected += 1;
        known.peak = known.peak.max(known.connected);
        let resumed = former.is_some();
        let (shared, session, reconnects, since_ms) = match former {
            Some(former) => {
                let since_ms = now_ms.max(former.since_ms + 1);
                (former.subject, former.session, former.reconnects + 1, since_ms)
            }
            None => (known.shared_subject(subject), Session::begin(now_ms), 0, now_ms),
        };
        known.reconnects += u64::from(resumed);
        let client = Client {
            subject: shared,
            role: identity.claims.role,
            address: identity.address,
            since_ms,
            left_ms: None,
            reconnects,
            session,
            arrived,
            place: None,
        };
        known.clients.insert(identity.client_id.clone(), client);
        known.changed.insert(identity.client_id.clone());
        Ok(Arrival {
            arrived,
            resumed,
            takes_over: takes_over.map(|(worker, member)| (worker as usize, member)),
        })
    }

    /// The connection that arrived has its seat. When another one took the id over meanwhile, on another
    /// worker, that could not close this one yet: it is closed now.
    pub fn seated(&self, id: &ClientId, arrived: Arrived, worker: usize, member: Member) {
        match self.known.lock().clients.get_mut(id).filter(|client| client.arrived == arrived) {
            Some(client) => client.place = Some((u32::try_from(worker).unwrap_or(u32::MAX), member)),
            None => self.shards.close(worker, member, Close::Replaced),
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
            known.changed.insert(id);
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

    /// Forgets sessions that ended longer before `now_ms` (in time that does not jump) than `ttl_ms`, the longest ended first when there are more than
    /// `sessions_max`. Returns which.
    pub fn forget(&self, now_ms: u64, ttl_ms: u64, sessions_max: usize) -> Vec<ClientId> {
        let mut known = self.known.lock();
        let mut ends: Vec<u64> = known.clients.values().filter_map(|c| c.left_ms).collect();
        let mut keep_from_ms = (now_ms + 1).saturating_sub(ttl_ms);
        if ends.len() > sessions_max {
            ends.sort_unstable();
            let oldest_kept = ends.get(ends.len() - sessions_max).copied().unwrap_or(u64::MAX);
            keep_from_ms = keep_from_ms.max(oldest_kept);
        }
        let over = |client: &Client| client.left_ms.is_some_and(|left_ms| left_ms < keep_from_ms);
        let gone: Vec<ClientId> =
            known.clients.iter().filter(|(_, client)| over(client)).map(|(id, _)| id.clone()).collect();
        for id in &gone {
            if let Some(client) = known.clients.remove(id) {
                known.release_subject(&client.subject);
            }
        }
        gone
    }

    /// Up to `limit` sessions that changed since they were last asked for, and are to be written.
    pub fn take_changed(&self, limit: usize) -> Vec<SessionRecord> {
        let mut known = self.known.lock();
        let changed: Vec<ClientId> = known.changed.iter().take(limit).cloned().collect();
        for id in &changed {
            known.changed.remove(id);
        }
        if known.changed.is_empty() {
            // After many came at once the table would stay as large as that.
            known.changed = HashSet::new();
        }
        let record = |id| known.clients.get(id).map(|client: &Client| client.record(id, &self.hub));
        changed.iter().filter_map(record).collect()
    }

    /// All sessions are to be written: nobody knows what was.
    pub fn all_changed(&self) {
        let mut known = self.known.lock();
        known.changed = known.clients.keys().cloned().collect();
    }

    /// Takes sessions in that a former life of the hub has written, or another hub, unless the client was connected here
    /// since. Returns how many are new.
    pub fn recall(&self, records: Vec<SessionRecord>, now_ms: u64) -> usize {
        let mut known = self.known.lock();
        let before = known.clients.len();
        for record in records {
            if known.is_newer(&record) {
                continue;
            }
            let Some((id, client)) =
                Client::recalled(record, now_ms, |subject| known.shared_subject(subject))
            else {
                continue;
            };
            if let Some(former) = known.clients.insert(id, client) {
                known.release_subject(&former.subject);
            }
        }
        known.clients.len() - before
    }

    /// At most `limit` known clients by id, after `after`.
    pub fn page(&self, after: Option<&str>, limit: usize) -> Vec<(ClientId, Client)> {
        let known = self.known.lock();
        let wanted = |id: &ClientId| after.is_none_or(|after| id.as_str() > after);
        let mut ids: Vec<&ClientId> = known.clients.keys().filter(|id| wanted(id)).collect();
        if ids.len() > limit {
            ids.select_nth_unstable(limit);
            ids.truncate(limit);
        }
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| Some((id.clone(), known.clients.get(id)?.clone()))).collect()
    }

    /// Open connections, most at once, and how often somebody came back.
    pub fn counts(&self) -> (usize, usize, u64) {
        let known = self.known.lock();
        (known.connected, known.peak, known.reconnects)
    }
}
