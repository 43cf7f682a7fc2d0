//! A client that must not notice what others do wrong.

use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Client, Hub, PATIENCE, within};

const TOPIC: &str = "bench:witness";

/// Time between messages.
const PACE: Duration = Duration::from_millis(4);

/// A publisher and a subscriber of a topic of their own, on connections of their own, at work in the
/// background. The subscriber fails when a message is missing, twice or out of order.
pub(crate) struct Witness {
    published: watch::Receiver<u64>,
    received: watch::Receiver<u64>,
    tasks: [JoinHandle<()>; 2],
}

impl Witness {
    /// Starts both.
    pub(crate) async fn start(hub: &Hub) -> Self {
        let mut subscriber = Client::open_as(hub, "witness", "viewer").await;
        let position = subscriber.subscribe(TOPIC).await;
        let publisher = Client::open_as(hub, "witness-source", "operator").await;
        let (told, published) = watch::channel(0);
        let (heard, received) = watch::channel(0);
        let tasks = [
            tokio::spawn(publish(publisher, told)),
            tokio::spawn(listen(subscriber, position["offset"].as_u64().unwrap(), heard)),
        ];
        Self { published, received, tasks }
    }

    /// Waits until everything that was published so far, and something after that, has arrived.
    ///
    /// # Panics
    /// When a message was lost, came twice or out of order, or does not come.
    pub(crate) async fn unharmed(&mut self, during: &str) {
        let expected = *self.published.borrow() + 2;
        let arrived = self.received.wait_for(|received| *received >= expected);
        let in_time = tokio::time::timeout(PATIENCE, arrived).await.is_ok_and(|waited| waited.is_ok());
        let received = *self.received.borrow();
        assert!(in_time, "during {during}: the witness got {received} messages, {expected} were due");
    }

    /// As [`Witness::unharmed`], then stops both.
    pub(crate) async fn finish(mut self) {
        self.unharmed("the whole test").await;
        let [publisher, subscriber] = self.tasks;
        publisher.abort();
        subscriber.abort();
        for task in [publisher, subscriber] {
            let ended = within("the witness", task).await;
            assert!(ended.is_err_and(|error| error.is_cancelled()), "the witness ended by itself");
        }
    }
}

async fn publish(mut client: Client, told: watch::Sender<u64>) {
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    for n in 1_u64.. {
        pace.tick().await;
        let published = loop {
            let answer = client.ask("publish", json!({ "topic": TOPIC, "data": n })).await;
            if answer["type"] == "published" {
                break answer["payload"].clone();
            }
            // A hub that is flooded may say so; then the message was not taken and nothing is lost.
            assert_eq!(answer["payload"]["retryable"], true, "{answer}");
        };
        assert_eq!(published["topic"], TOPIC);
        told.send_replace(n);
    }
}

async fn listen(mut client: Client, mut offset: u64, heard: watch::Sender<u64>) {
    for n in 1_u64.. {
        let message = client.message().await;
        assert_eq!(
            (message.offset, &message.payload),
            (offset + 1, &json!(n)),
            "in order, once, none missing"
        );
        offset = message.offset;
        heard.send_replace(n);
    }
}
