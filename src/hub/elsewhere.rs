//! Clients over hub nodes: one that goes on at another node, and messages for one that is connected here.

use std::sync::{Arc, Weak};

use super::sessions;
use crate::connection::sharing::{ARRIVED, DISCONNECT};
use crate::engine::{Carrier, Notice};
use crate::http::State;
use crate::ids::{ClientId, TopicName};
use crate::protocol::codes::Close;
use crate::topic::MAIL;

/// Hears what other nodes say of clients and their queues, from the start of the line to Redis on.
pub(super) fn hear(state: &Arc<State>, carrier: &Carrier) {
    let heard_by = |act: fn(Arc<State>, &str)| {
        let state: Weak<State> = Arc::downgrade(state);
        Box::new(move |notice: Notice<'_>| {
            // A client that came to another node meanwhile is seen there; this one's pings find it gone.
            if let (Notice::Said(text), Some(state)) = (notice, state.upgrade()) {
                act(state, text);
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
fn arrived(state: Arc<State>, id: &str) {
    let clients = &state.services.clients;
    let Some((worker, member)) = ClientId::parse(id).ok().and_then(|id| clients.place(&id)) else { return };
    actix_rt::spawn(async move {
        state.shards.take_over(worker, member).await;
        sessions::write(&state).await;
    });
}

fn disconnect(state: Arc<State>, id: &str) {
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
