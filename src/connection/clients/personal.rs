//! Personal topics: who has one, who is connected to get it, and what a session has taken out; sessions as the
//! store keeps them.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::{Arrived, Client, Clients};
use crate::auth::Role;
use crate::connection::session::{Personal, Session, Subscription};
use crate::ids::{ClientId, TopicName};
use crate::store::SessionRecord;
use crate::topic::{Member, Taken};

impl Client {
    /// What the store keeps of the session.
    pub(super) fn record(&self, id: &ClientId, hub: &str) -> SessionRecord {
        SessionRecord {
            client_id: id.to_string(),
            subject: self.subject.to_string(),
            role: self.role.as_str().to_owned(),
            remote_address: Some(self.address.to_string()),
            connected_at_ms: self.since_ms,
            disconnected_at_ms: self.left_ms,
            reconnects: u64::from(self.reconnects),
            // A session is numbers and texts: it can be written.
            state: serde_json::to_string(&self.session).unwrap_or_default(),
            hub: hub.to_owned(),
        }
    }

    /// A session out of the store. One that was open when the hub ended ends `now_ms`.
    pub(super) fn recalled(
        record: SessionRecord,
        now_ms: u64,
        share: impl FnOnce(&str) -> Arc<str>,
    ) -> Option<(ClientId, Self)> {
        let id = ClientId::parse(&record.client_id).ok()?;
        let role = Role::ALL.into_iter().find(|role| role.as_str() == record.role)?;
        let began = Session::begin(record.connected_at_ms);
        let session = serde_json::from_str(&record.state).unwrap_or(began);
        let address = record.remote_address.and_then(|address| address.parse().ok());
        let client = Self {
            subject: share(&record.subject),
            role,
            address: address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            since_ms: record.connected_at_ms,
            left_ms: Some(record.disconnected_at_ms.unwrap_or(now_ms)),
            reconnects: u32::try_from(record.reconnects).unwrap_or(u32::MAX),
            session,
            arrived: Arrived::NEVER,
            place: None,
        };
        Some((id, client))
    }
}

impl Clients {
    /// The session of a client id.
    pub fn session(&self, id: &ClientId) -> Option<Session> {
        self.known.lock().clients.get(id).map(|client| client.session.clone())
    }

    /// Whose a client id is.
    pub fn subject(&self, id: &ClientId) -> Option<Arc<str>> {
        self.known.lock().clients.get(id).map(|client| client.subject.clone())
    }

    /// Whether a personal topic is the queue of a session that is known here.
    pub fn has_queue(&self, topic: &TopicName) -> bool {
        let known = self.known.lock();
        match Personal::of(topic.as_str()) {
            None => false,
            Some((Personal::Client, owner)) => {
                ClientId::parse(owner).is_ok_and(|id| known.clients.contains_key(&id))
            }
            Some((Personal::User, owner)) => known.subjects.contains_key(owner),
        }
    }

    /// Whether somebody has a session whose queue this personal topic is; `true` for any other topic. Then the
    /// session is to be written before the message is: the records that the store does not have yet.
    pub fn queue_of(&self, topic: &TopicName) -> Option<Vec<SessionRecord>> {
        let Some((personal, owner)) = Personal::of(topic.as_str()) else { return Some(Vec::new()) };
        let mut known = self.known.lock();
        let ids: Vec<ClientId> = match personal {
            Personal::Client => {
                let id = ClientId::parse(owner).ok().filter(|id| known.clients.contains_key(id))?;
                vec![id]
            }
            Personal::User => {
                known.subjects.get(owner)?;
                let changed = known.changed.iter();
                let is_owners = |id: &&ClientId| known.clients.get(*id).is_some_and(|c| &*c.subject == owner);
                changed.filter(is_owners).cloned().collect()
            }
        };
        let mut records = Vec::new();
        for id in ids {
            if known.changed.remove(&id) {
                records.extend(known.clients.get(&id).map(|client| client.record(&id, &self.hub)));
            }
        }
        Some(records)
    }

    /// Names of the personal topics of all clients that are connected.
    pub fn queues_of_connected(&self) -> Vec<String> {
        let known = self.known.lock();
        let connected = known.clients.iter().filter(|(_, client)| client.place.is_some());
        let subjects = connected.clone().map(|(_, client)| &*client.subject).collect::<HashSet<_>>();
        let mut queues: Vec<_> = connected.map(|(id, _)| Personal::Client.topic(id.as_str(), "")).collect();
        queues.extend(subjects.into_iter().map(|subject| Personal::User.topic("", subject)));
        queues
    }

    /// The session of a client, to be written before anything else is done with it.
    pub(in crate::connection) fn take_record(&self, id: &ClientId) -> Option<SessionRecord> {
        let mut known = self.known.lock();
        known.changed.remove(id);
        known.clients.get(id).map(|client| client.record(id, &self.hub))
    }

    /// The connections that get a personal topic, with what their sessions took out of it: worker and member.
    pub fn owners(&self, topic: &TopicName) -> Vec<(usize, Member, Taken)> {
        let Some((personal, owner)) = Personal::of(topic.as_str()) else { return Vec::new() };
        let known = self.known.lock();
        let place = |client: &Client| {
            let (worker, member) = client.place?;
            Some((worker as usize, member, client.session.taken(personal)))
        };
        match personal {
            Personal::Client => {
                let client = ClientId::parse(owner).ok().and_then(|id| known.clients.get(&id));
                client.and_then(place).into_iter().collect()
            }
            Personal::User if known.subjects.contains_key(owner) => {
                known.clients.values().filter(|client| &*client.subject == owner).filter_map(place).collect()
            }
            Personal::User => Vec::new(),
        }
    }

    /// The session took something out of a personal topic.
    pub fn take(&self, id: &ClientId, personal: Personal, take: impl FnOnce(&mut Taken)) {
        let mut known = self.known.lock();
        if let Some(client) = known.clients.get_mut(id) {
            client.session.take(personal, take);
            known.changed.insert(id.clone());
        }
    }

    /// Where the hub was with a client when its connection ended.
    pub(in crate::connection) fn remember(&self, id: &ClientId, subscriptions: Vec<Subscription>) {
        let mut known = self.known.lock();
        if let Some(client) = known.clients.get_mut(id) {
            client.session.subscriptions = subscriptions;
            known.changed.insert(id.clone());
        }
    }
}
