//! Polls and event streams: the messages and offsets of the socket, without a gap or a duplicate between them.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::events::{Events, poll};
use super::http::call;
use crate::hub::{Client, Hub, Witness, until, within};

/// One in memory, one kept in the store.
const TOPICS: [&str; 2] = ["app:orders", "deployments"];

/// Time between messages.
const PACE: Duration = Duration::from_millis(2);

#[derive(Debug, Clone, Copy)]
enum Way {
    Socket,
    Stream,
    Poll,
}

/// A client that changes its way of reading, and remembers where it stands.
struct Reader<'a> {
    hub: &'a Hub,
    token: String,
    /// Epoch and offset by topic.
    at: BTreeMap<String, (String, u64)>,
    read: u64,
}

impl<'a> Reader<'a> {
    /// Begins in front of everything.
    async fn start(hub: &'a Hub) -> Self {
        let token = hub.token("viewer");
        let first = poll(hub, &TOPICS.join(","), &token, None, 0).await;
        let mut reader = Self { hub, token, at: BTreeMap::new(), read: 0 };
        for place in first["topics"].as_array().unwrap() {
            assert_eq!(place["recovered"], false);
            let epoch = place["epoch"].as_str().unwrap().to_owned();
            reader.at.insert(
                place["topic"].as_str().unwrap().to_owned(),
                (epoch, place["offset"].as_u64().unwrap()),
            );
        }
        assert_eq!(reader.at.len(), TOPICS.len());
        reader
    }

    /// As a page makes it that changes over from the socket.
    fn cursor(&self) -> String {
        let parts = self.at.iter().map(|(topic, (epoch, offset))| format!("~{topic}~{epoch}~{offset}"));
        format!("v1{}", parts.collect::<String>())
    }

    fn take(&mut self, topic: &str, epoch: &str, offset: u64, way: Way) {
        let at = self.at.get_mut(topic).unwrap();
        assert_eq!((at.0.as_str(), at.1 + 1), (epoch, offset), "{topic} by {way:?}");
        at.1 = offset;
        self.read += 1;
    }

    fn take_frame(&mut self, frame: &Value, way: Way) {
        assert_eq!(frame["type"], "message");
        let meta = &frame["metadata"];
        let (topic, epoch) = (meta["topic"].as_str().unwrap(), meta["epoch"].as_str().unwrap());
        self.take(topic, epoch, meta["offset"].as_u64().unwrap(), way);
    }

    /// Reads so many messages in this way, then breaks off.
    async fn leg(&mut self, way: Way, messages: u64) {
        let until = self.read + messages;
        match way {
            Way::Socket => {
                let mut client = Client::open(self.hub, "reader", &self.token).await;
                let topics: Vec<Value> = self.at.iter().map(|(topic, (epoch, offset))| {
                    json!({ "topic": topic, "recover": { "epoch": epoch, "offset": offset } })
                }).collect();
                let told = client.request("subscribe", json!({ "topics": topics }), "subscribed").await;
                for topic in told["topics"].as_array().unwrap() {
                    assert_eq!(topic["recovered"], true, "{told}");
                }
                while self.read < until {
                    let frame = client.next_of("message").await;
                    self.take_frame(&frame, way);
                }
            }
            Way::Stream => {
                let cursor = self.cursor();
                let mut events = Events::open(self.hub, &TOPICS.join(","), &self.token, Some(&cursor)).await;
                for topic in events.next_of("subscribed").await.data["topics"].as_array().unwrap() {
                    assert_eq!(topic["recovered"], true);
                }
                while self.read < until {
                    let event = events.next_of("message").await;
                    self.take_frame(&event.data, way);
                    assert_eq!(events.last_id, Some(self.cursor()), "the id is the place behind the message");
                }
            }
            Way::Poll => {
                while self.read < until {
                    let cursor = self.cursor();
                    let polled = poll(self.hub, &TOPICS.join(","), &self.token, Some(&cursor), 20).await;
                    for frame in polled["messages"].as_array().unwrap() {
                        self.take_frame(frame, way);
                    }
                    assert_eq!(polled["cursor"], self.cursor());
                    for place in polled["topics"].as_array().unwrap() {
                        let at = &self.at[place["topic"].as_str().unwrap()];
                        assert_eq!((&place["epoch"], &place["offset"]), (&json!(at.0), &json!(at.1)));
                        assert_eq!(place["recovered"], true);
                    }
                }
            }
        }
    }
}

/// Publishes to all topics in turn until it is told to stop; how many to each.
fn publishing(mut client: Client) -> (watch::Sender<bool>, JoinHandle<u64>) {
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(async move {
        for n in 1_u64.. {
            for topic in TOPICS {
                client.publish(topic, json!({ "n": n })).await;
            }
            if *stopped.borrow() {
                return n;
            }
            tokio::time::sleep(PACE).await;
        }
        unreachable!("it is stopped before");
    });
    (stop, task)
}

#[tokio::test]
async fn a_client_changes_between_socket_stream_and_poll_without_gap_or_duplicate() {
    let hub = Hub::with_arguments(&["--limits", "off"], |_settings| {});
    let mut reader = Reader::start(&hub).await;
    let publisher = Client::open_as(&hub, "publisher", "operator").await;
    let (stop, publisher) = publishing(publisher);
    let ways = [Way::Socket, Way::Stream, Way::Poll];
    // Every way after every way, itself included.
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (round, order) in orders.iter().chain(&orders).enumerate() {
        for (leg, at) in order.iter().enumerate() {
            reader.leg(ways[*at], 7 + (round * 3 + leg) as u64 % 40).await;
        }
    }
    stop.send_replace(true);
    let each = within("the publisher", publisher).await.unwrap();
    let left = TOPICS.len() as u64 * each - reader.read;
    reader.leg(Way::Poll, left).await;
    assert!(reader.at.values().all(|(_, offset)| *offset == each), "{:?} of {each}", reader.at);
}

#[tokio::test]
async fn after_a_restart_what_the_store_keeps_goes_on_and_what_memory_had_is_told_lost() {
    let mut hub = Hub::start();
    let token = hub.token("viewer");
    let mut publisher = Client::open_as(&hub, "publisher", "operator").await;
    let first = poll(&hub, &TOPICS.join(","), &token, None, 0).await;
    for topic in TOPICS {
        publisher.publish(topic, json!(1)).await;
    }
    let cursor = first["cursor"].as_str().unwrap().to_owned();
    hub.process.kill();
    hub.start_again();
    let mut publisher = Client::open_as(&hub, "publisher", "operator").await;
    publisher.publish("deployments", json!(2)).await;
    let mut events = Events::open(&hub, &TOPICS.join(","), &token, Some(&cursor)).await;
    let told = events.next_of("subscribed").await.data;
    for place in told["topics"].as_array().unwrap() {
        assert_eq!(place["recovered"], place["topic"] == "deployments", "{told}");
    }
    for n in 1..=2 {
        let frame = events.next_of("message").await.data;
        assert_eq!((&frame["payload"], &frame["metadata"]["offset"]), (&json!(n), &json!(n)));
    }
    publisher.publish("app:orders", json!("new")).await;
    assert_eq!(events.next_of("message").await.data["payload"], "new");
    // A poll with the same cursor tells the same, at once.
    let polled = poll(&hub, &TOPICS.join(","), &token, Some(&cursor), 20).await;
    let recovered: Vec<_> = polled["topics"].as_array().unwrap().iter().map(|t| &t["recovered"]).collect();
    assert_eq!(recovered, [&json!(false), &json!(true)]);
    assert_eq!(polled["messages"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_poll_waits_for_what_comes_and_new_values_are_there_at_once() {
    let hub = Hub::start();
    let token = hub.token("viewer");
    let mut agent = Client::open(&hub, "agent", &hub.agent_token("web-1")).await;
    let sample = |value: u64| json!({ "node": "web-1", "names": ["load1"], "values": [value] });
    agent.request("metrics", sample(1), "metrics_ack").await;
    let first = poll(&hub, "metrics:web-1,app:orders", &token, None, 20).await;
    assert_eq!(first["messages"][0]["payload"]["samples"][0]["value"], 1.0);
    let cursor = first["cursor"].as_str().unwrap().to_owned();
    let nothing = poll(&hub, "metrics:web-1,app:orders", &token, Some(&cursor), 0).await;
    assert_eq!((&nothing["messages"], &nothing["cursor"]), (&json!([]), &json!(cursor)));
    let waiting = poll(&hub, "metrics:web-1,app:orders", &token, Some(&cursor), 20);
    let publishing = async {
        until("the poll waits", async || (hub.metric("infrawatch_polls_waiting").await == 1).then_some(()))
            .await;
        let stats = call(&hub, Method::GET, "/api/v1/connections/stats", &token, None, 200).await;
        assert_eq!((&stats["polls_waiting"], &stats["sse_streams"]), (&json!(1), &json!(0)));
        let mut publisher = Client::open_as(&hub, "publisher", "operator").await;
        publisher.publish("app:orders", json!("x")).await
    };
    let (polled, published) = tokio::join!(waiting, publishing);
    let frame = &polled["messages"][0];
    assert_eq!((&frame["payload"], &frame["metadata"]["offset"]), (&json!("x"), &published["offset"]));
    // A topic that is new to the cursor starts now; one that is asked for no more is left out.
    let cursor = polled["cursor"].as_str().unwrap();
    let other = poll(&hub, "app:orders,app:bills", &token, Some(cursor), 20).await;
    let topics: Vec<_> =
        other["topics"].as_array().unwrap().iter().map(|t| (&t["topic"], &t["recovered"])).collect();
    assert_eq!(topics, [(&json!("app:orders"), &json!(true)), (&json!("app:bills"), &json!(false))]);
    assert!(!other["cursor"].as_str().unwrap().contains("metrics"), "{other}");
}

#[tokio::test]
async fn streams_end_with_their_token_and_show_that_they_live() {
    let hub = Hub::with(|settings| {
        settings.http.heartbeat_ms = 100;
        settings.connection.token_warning_ms = 60_000;
    });
    let short = hub.token_with(&["--role", "viewer", "--sub", "ann", "--ttl", "2s"]);
    let mut events = Events::open(&hub, "app:orders", &short, None).await;
    events.next_of("token_expiring").await;
    assert_eq!(events.next_of("closed").await.data, json!({ "code": 4009, "reason": "token expired" }));
    assert!(events.next().await.is_none() && events.comments > 0, "{} comments", events.comments);
    // A browser can send no header.
    let link = hub.listening["login_url"].as_str().unwrap();
    let once = json!({ "token": link.split_once("#login=").unwrap().1 });
    let session = call(&hub, Method::POST, "/api/v1/connections/exchange", "", Some(once), 200).await;
    let token = session["access_token"].as_str().unwrap();
    let url = format!("http://{}/api/v1/streaming/sse?topics=app:orders&token={token}", hub.address);
    let mut events = Events::of(reqwest::get(&url).await.unwrap());
    events.next_of("subscribed").await;
    call(&hub, Method::POST, "/api/v1/connections/logout", token, None, 204).await;
    assert_eq!(events.next_of("closed").await.data, json!({ "code": 4003, "reason": "forbidden" }));
    assert_eq!(reqwest::get(&url).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let elsewhere = format!("http://{}/api/v1/nodes?token={}", hub.address, hub.token("viewer"));
    assert_eq!(reqwest::get(elsewhere).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert!(!hub.process.log().contains(token), "a token is in the log");
}

#[tokio::test]
async fn no_more_may_wait_than_there_are_places() {
    let hub = Hub::with(|settings| {
        settings.http.streams_max = 1;
        settings.http.polls_max = 1;
    });
    let token = hub.token("viewer");
    let mut events = Events::open(&hub, "app:orders", &token, None).await;
    let client = reqwest::Client::new();
    let base = format!("http://{}/api/v1/streaming", hub.address);
    let refused = client.get(format!("{base}/sse?topics=a")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(
        (refused.status(), &refused.headers()["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"5".parse().unwrap())
    );
    let cursor = poll(&hub, "a", &token, None, 0).await["cursor"].as_str().unwrap().to_owned();
    let url = format!("{base}/poll?topics=a&since={cursor}&wait_s=20");
    let waiting = tokio::spawn(client.get(&url).bearer_auth(&token).send());
    until("it waits", async || (hub.metric("infrawatch_polls_waiting").await == 1).then_some(())).await;
    let refused = client.get(&url).bearer_auth(&token).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    // Who goes away gives the place back.
    waiting.abort();
    events.next_of("subscribed").await;
    drop(events);
    for gauge in ["infrawatch_polls_waiting", "infrawatch_sse_streams"] {
        until(gauge, async || (hub.metric(gauge).await == 0).then_some(())).await;
    }
    Events::open(&hub, "app:orders", &token, None).await;
}

#[tokio::test]
async fn a_hub_that_stops_tells_those_who_wait() {
    let mut hub = Hub::start();
    let token = hub.token("viewer");
    let mut events = Events::open(&hub, "app:orders", &token, None).await;
    events.next_of("subscribed").await;
    let cursor = poll(&hub, "a", &token, None, 0).await["cursor"].as_str().unwrap().to_owned();
    let waiting = poll(&hub, "a", &token, Some(&cursor), 60);
    let stopping = async {
        until("it waits", async || (hub.metric("infrawatch_polls_waiting").await == 1).then_some(())).await;
        hub.process.signal(Signal::TERM);
    };
    let (polled, ()) = tokio::join!(waiting, stopping);
    assert_eq!((&polled["messages"], &polled["cursor"]), (&json!([]), &json!(cursor)));
    let draining = events.next_of("draining").await.data;
    assert_eq!(draining["reconnect_after_ms"].as_u64(), events.retry_ms);
    assert!(events.next().await.is_none());
    assert!(hub.process.wait().is_some_and(|status| status.success()));
}

/// It takes nothing of what it asked for; only its own place is lost, and that not for long.
#[tokio::test]
async fn a_stream_that_nobody_reads_disturbs_nobody() {
    const WARM: u64 = 100;
    const MESSAGES: u64 = 1_100;
    let hub = Hub::with(|settings| {
        settings.connection.write_deadline_ms = 600;
        settings.topic.flush_interval_ms = 0;
        settings.topic.history_bytes_max = 1 << 20;
    });
    let mut witness = Witness::start(&hub).await;
    let token = hub.token("viewer");
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let deaf = socket.connect(hub.address).await.unwrap();
    let request = format!(
        "GET /api/v1/streaming/sse?topics=bench:busy HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n",
        hub.address
    );
    let mut left = request.as_bytes();
    while !left.is_empty() {
        deaf.writable().await.unwrap();
        left = &left[deaf.try_write(left).unwrap()..];
    }
    until("it is open", async || (hub.metric("infrawatch_sse_streams").await == 1).then_some(())).await;
    let mut publisher = Client::open_as(&hub, "publisher", "operator").await;
    let mut reading = Events::open(&hub, "bench:busy", &token, None).await;
    reading.next_of("subscribed").await;
    let (mut before, mut most) = (0, 0);
    for offset in 1..=MESSAGES {
        publisher.publish("bench:busy", json!("x".repeat(32 * 1024))).await;
        assert_eq!(reading.next_of("message").await.data["metadata"]["offset"], offset);
        match offset {
            // What the allocator and the topic need for themselves is there before it is measured.
            ..WARM => {}
            WARM => before = hub.resident_bytes(),
            _ => most = most.max(hub.resident_bytes()),
        }
    }
    witness.unharmed("the deaf stream").await;
    let grown = most.saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more for {} messages of 32 KiB", MESSAGES - WARM);
    until("its place is free again", async || {
        (hub.metric("infrawatch_sse_streams").await == 1).then_some(())
    })
    .await;
    drop(deaf);
    witness.finish().await;
}
