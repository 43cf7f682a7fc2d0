//! What other hub nodes tell: tokens were taken back, a client goes on at one of them, messages came for one that is connected here, topics are
//! open that somebody here waits for.

use std::sync::{Arc, Weak};

use super::sessions;
use crate::auth::TopicPattern;
use crate::broker::WANTED;
use crate::connection::sharing::{ARRIVED, DISCONNECT};
use crate::engine::{Carrier, Notice};
use crate::http::State;
use crate::ids::{ClientId, TopicName};
use crate::protocol::codes::Close;
use crate::topic::{MAIL, OPENED, Position};

/// The kind of notices by which others learn that something was taken back.
const REVOKED: &str = "revoked";

/// Topics that are told to a node that wants some: as many as a connection may have.
const TOLD_MAX: usize = 256;

/// Hears what other nodes say of topics, from the start of the line to Redis on.
pub(super) fn hear_of_topics(state: &Arc<State>, carrier: &Carrier) {
    let hub: Weak<State> = Arc::downgrade(state);
    carrier.hear(
        OPENED,
        Box::new(move |notice| {
            let Some(state) = hub.upgrade() else { return };
            match notice {
                Notice::Said(text) => opened(&state, text),
                Notice::Missed => state.services.broker.ask_for_all(),
            }
        }),
    );
    let hub: Weak<State> = Arc::downgrade(state);
    carrier.hear(
        WANTED,
        Box::new(move |notice| {
            if let (Notice::Said(text), Some(state)) = (notice, hub.upgrade()) {
                wanted(&state, text);
            }
        }),
    );
}

/// A name, and where its subscribers go on if it is known.
fn opened(state: &State, text: &str) {
    let mut words = text.split(' ');
    let Some(Ok(name)) = words.next().map(TopicName::parse) else { return };
    let since = words.next().zip(words.next().and_then(|offset| offset.parse().ok()));
    let since = since.map(|(epoch, offset)| Position { epoch: epoch.into(), offset });
    state.services.broker.opened_elsewhere(&name, since.as_ref());
}

fn wanted(state: &Arc<State>, text: &str) {
    let Some((instance, pattern)) = text.split_once(' ') else { return };
    let (Ok(pattern), Some(carrier)) = (TopicPattern::parse(pattern), state.services.carrier.clone()) else {
        return;
    };
    let (names, instance) = (state.services.broker.open_for_others(&pattern, TOLD_MAX), instance.to_owned());
    actix_rt::spawn(async move {
        for name in names {
            if let Err(error) = carrier.notify_node(&instance, OPENED, name.as_str()).await {
                return tracing::debug!(%error, "a node was not told of topics");
            }
        }
    });
}

/// Tells other nodes what is taken back here, and learns what they took back, from the start of the line to Redis on.
pub(super) fn hear_of_revocations(state: &Arc<State>, carrier: &Carrier) {
    let says = carrier.clone();
    state.services.auth.tell(Box::new(move || says.say(REVOKED, String::new())));
    let hub: Weak<State> = Arc::downgrade(state);
    carrier.hear(
        REVOKED,
        Box::new(move |_notice| {
            let Some(state) = hub.upgrade() else { return };
            actix_rt::spawn(async move {
                if let Err(error) = state.services.auth.learn(state.services.clock.unix_ms()).await {
                    tracing::warn!(%error, "what other nodes took back is read in a minute");
                }
            });
        }),
    );
}

/// Hears what other nodes say of clients and their queues, from the start of the line to Redis on.
pub(super) fn hear_of_clients(state: &Arc<State>, carrier: &Carrier) {
    let heard_by = |act: fn(&Arc<State>, &str)| {
        let state: Weak<State> = Arc::downgrade(state);
        Box::new(move |notice: Notice<'_>| {
            // A client that came to another node meanwhile is seen there; this one's pings find it gone.
            if let (Notice::Said(text), Some(state)) = (notice, state.upgrade()) {
                act(&state, text);
            }
        })
    };
    carrier.hear(ARRIVED, heard_by(arrived));
    carrier.hear(DISCONNECT, heard_by(disconnect));
    let state: Weak<State> = Arc::downgrade(state);
    carrier.hear(
        MAIL,
        Box::new(move |notice| {
            let Some(state) = state.upgrade() else { return };
            match notice {
                Notice::Said(topic) => mail(&state, topic),
                Notice::Missed => _ = actix_rt::spawn(async move { look_for_mail(&state).await }),
            }
        }),
    );
}

/// A client came to another node: its session is written before that one goes on with it.
fn arrived(state: &Arc<State>, id: &str) {
    let clients = &state.services.clients;
    let Some((worker, member)) = ClientId::parse(id).ok().and_then(|id| clients.place(&id)) else { return };
    let state = state.clone();
    actix_rt::spawn(async move {
        state.shards.take_over(worker, member).await;
        sessions::write(&state).await;
    });
}

fn disconnect(state: &Arc<State>, id: &str) {
    let clients = &state.services.clients;
    if let Some((worker, member)) = ClientId::parse(id).ok().and_then(|id| clients.place(&id)) {
        state.shards.close(worker, member, Close::Normal);
    }
}

/// Another node put a message into a queue: whoever is connected here and owns it is subscribed.
fn mail(state: &State, topic: &str) {
    let services = &state.services;
    let Ok(topic) = TopicName::parse(topic) else { return };
    if services.broker.find(&topic).is_none()
        && !services.clients.owners(&topic).is_empty()
        && let Err(error) = services.broker.open(&topic)
    {
        tracing::warn!(%topic, %error, "a queue with a message of another node was not opened");
    }
}

/// Looks for messages in the queues of all clients that are connected here.
pub(super) async fn look_for_mail(state: &State) {
    let services = &state.services;
    let queues: Vec<String> = services.clients.queues_of_connected();
    match state.store.topic_heads(queues).await {
        Ok(heads) => {
            for (topic, _) in heads.iter().filter(|(_, head)| head.last_offset > 0) {
                mail(state, topic);
            }
        }
        Err(error) => tracing::debug!(%error, "queues not looked into"),
    }
}
