//! A client that does not read goes down step by step, and each step is told and counted as it was.

use std::collections::BTreeMap;

use infrawatch::config::{Class, NamespaceSection, Settings};
use infrawatch::protocol::priority::Priority;
use serde_json::{Value, json};

use crate::hub::{Client, Hub, Message, RawEvent, RawSocket, TEXT, Upgrade, frame, messages, until};

const BOUND: u64 = 256 * 1024;
const CHUNK: usize = 4 * 1024;
const FOREVER_MS: u64 = 3_600_000;

/// One of the newest values, one log, one log whose messages are low, one log that is asked for conflated.
const TOPICS: [&str; 4] = ["gauge:g", "app:a", "low:l", "app:keyed"];

fn settings(settings: &mut Settings) {
    settings.topic.flush_interval_ms = 0;
    settings.topic.flush_interval_low_ms = 0;
    settings.connection.outbox_bytes_max = BOUND as usize;
    // Only what waits decides.
    settings.connection.write_deadline_ms = FOREVER_MS;
    settings.connection.ping_interval_ms = FOREVER_MS;
    settings.connection.pong_grace_ms = 100;
    settings.connection.close_grace_ms = 60_000;
    let namespace = NamespaceSection::default;
    let gauge = NamespaceSection { class: Some(Class::Latest), ..namespace() };
    let low = NamespaceSection { priority: Some(Priority::Low), ..namespace() };
    settings.topic.namespaces.extend([("gauge".to_owned(), gauge), ("low".to_owned(), low)]);
}

/// A client that does not read, one that does, and who publishes to both.
struct Scene {
    hub: Hub,
    token: String,
    publisher: Client,
    reading: Client,
    slow: RawSocket,
    /// Messages of [`TOPICS`] so far.
    offsets: BTreeMap<&'static str, u64>,
}

/// What the slow client was told.
#[derive(Default)]
struct Heard {
    messages: Vec<Message>,
    /// Dropped and conflated by topic.
    lags: BTreeMap<String, (u64, u64)>,
}

impl Scene {
    async fn open() -> Self {
        let hub = Hub::with_arguments(&["--limits", "off"], settings);
        let token = hub.token("viewer");
        let upgrade = Upgrade::to("/ws/slow").bearer(&token);
        let mut slow = RawSocket::open_narrow(&hub, &upgrade).await.unwrap();
        slow.next().await;
        let [gauge, app, low, keyed] = TOPICS;
        let topics = json!([gauge, app, low, { "topic": keyed, "conflate": true }]);
        let subscribe = json!({ "type": "subscribe", "topics": topics }).to_string();
        slow.send(&frame(TEXT, subscribe.as_bytes())).await;
        slow.next().await;
        let mut reading = Client::open(&hub, "reading", &token).await;
        reading.request("subscribe", json!({ "topics": TOPICS }), "subscribed").await;
        let publisher = Client::open_as(&hub, "publisher", "operator").await;
        Self { hub, token, publisher, reading, slow, offsets: BTreeMap::new() }
    }

    /// Publishes; who reads gets it at once, whatever the other one does.
    async fn publish(&mut self, topic: &'static str, key: &str, data: Value) {
        let payload = json!({ "topic": topic, "key": key, "data": data });
        let published = self.publisher.request("publish", payload, "published").await;
        let offset = self.offsets.entry(topic).or_default();
        *offset += 1;
        assert_eq!(published["offset"], *offset);
        let message = self.reading.message().await;
        assert_eq!((&*message.topic, message.offset, &message.payload), (topic, *offset, &data));
    }

    /// Bytes that the kernel took for the slow client, and bytes that wait for it.
    async fn taken_and_waiting(&self) -> (u64, u64) {
        let url = format!("http://{}/api/v1/connections/list", self.hub.address);
        let asked = reqwest::Client::new().get(url).bearer_auth(&self.token).send().await.unwrap();
        let page: Value = asked.json().await.unwrap();
        let row = page["items"].as_array().unwrap().iter().find(|row| row["client_id"] == "slow").unwrap();
        (row["bytes_out"].as_u64().unwrap(), row["outbox_bytes"].as_u64().unwrap())
    }

    /// Publishes to the log until so many percent of the bound wait.
    async fn fill(&mut self, percent: u64) {
        let (taken, mut waiting) = self.taken_and_waiting().await;
        let mut all = taken + waiting;
        while waiting <= BOUND * percent / 100 {
            self.publish("app:a", "", "x".repeat(CHUNK).into()).await;
            (all, waiting) = until("the worker has it", async || {
                let (taken, waiting) = self.taken_and_waiting().await;
                (taken + waiting >= all + CHUNK as u64).then_some((taken + waiting, waiting))
            })
            .await;
        }
    }

    async fn counted(&self, sample: &str, expected: u64) {
        let mut found = 0;
        until(&format!("{expected} of {sample}"), async || {
            found = self.hub.metric(sample).await;
            (found >= expected).then_some(())
        })
        .await;
        assert_eq!(found, expected, "{sample}");
    }

    /// Reads what the slow client was sent until `is_all` of it; the code of a close frame, if that ended it.
    async fn hear(&mut self, is_all: impl Fn(&Heard) -> bool) -> (Heard, Option<u16>) {
        let mut heard = Heard::default();
        while !is_all(&heard) {
            match self.slow.next_but_pings().await {
                RawEvent::Text(text) => heard.take(&serde_json::from_str(&text).unwrap()),
                RawEvent::Close(code) => return (heard, Some(code)),
                event => panic!("{event:?}"),
            }
        }
        (heard, None)
    }
}

impl Heard {
    fn take(&mut self, frame: &Value) {
        let payload = &frame["payload"];
        match frame["type"].as_str().unwrap() {
            "message" | "batch" => self.messages.extend(messages(frame)),
            "lagged" => {
                let lag = self.lags.entry(payload["topic"].as_str().unwrap().to_owned()).or_default();
                lag.0 += payload["dropped"].as_u64().unwrap();
                lag.1 += payload["conflated"].as_u64().unwrap();
            }
            other => panic!("{other}: {frame}"),
        }
    }

    fn of(&self, topic: &str) -> Vec<&Message> {
        self.messages.iter().filter(|message| message.topic == topic).collect()
    }

    fn offsets(&self, topic: &str) -> Vec<u64> {
        self.of(topic).iter().map(|message| message.offset).collect()
    }

    /// The last value of each key.
    fn newest(&self, topic: &str) -> BTreeMap<String, u64> {
        let values = self.of(topic).into_iter();
        values.map(|m| (m.key.clone().unwrap(), m.payload["value"].as_u64().unwrap())).collect()
    }
}

const CONFLATED: &str = "infrawatch_messages_conflated_total{place=\"outbox\"}";
const LOW_DROPPED: &str = "infrawatch_messages_dropped_total{cause=\"low\"}";

#[tokio::test]
async fn newest_values_then_low_ones_then_the_client_and_recovery_brings_the_logs() {
    let mut scene = Scene::open().await;
    // Under half: everything waits.
    scene.fill(20).await;
    for n in 1..=2 {
        scene.publish("gauge:g", "k", json!({ "value": n })).await;
        scene.publish("low:l", "", "y".repeat(2 * CHUNK).into()).await;
    }
    // Over half: one newest value a key.
    scene.fill(55).await;
    let (_, before) = scene.taken_and_waiting().await;
    for n in 1..=20 {
        for key in ["x", "y"] {
            scene.publish("gauge:g", key, json!({ "value": n })).await;
        }
    }
    scene.counted(CONFLATED, 2 * 19).await;
    let (_, waiting) = scene.taken_and_waiting().await;
    // Two values, and a few frames that tell of the others; all forty have over 12 KB.
    assert!(waiting > before && waiting < before + 8_000, "{before} bytes, then {waiting}");
    assert_eq!(scene.hub.metric(LOW_DROPPED).await, 0);
    // Over three quarters: no low ones any more.
    scene.fill(80).await;
    assert_eq!(scene.hub.metric(LOW_DROPPED).await, 0);
    for _ in 0..7 {
        scene.publish("low:l", "", json!("low")).await;
    }
    scene.counted(LOW_DROPPED, 7).await;
    // At the bound: the low ones that wait, then the client.
    scene.fill(93).await;
    let mut published = 0;
    while scene.taken_and_waiting().await.1 > BOUND / 2 {
        scene.publish("app:a", "", "x".repeat(CHUNK).into()).await;
        published += 1;
        assert!(published < 100, "nothing ends the client");
        if published == 6 {
            // The room that the low ones left is not full yet.
            scene.counted(LOW_DROPPED, 9).await;
        }
    }
    assert!(published > 6, "closed before the low ones went");
    let (heard, code) = scene.hear(|_| false).await;
    assert_eq!(code, Some(4008));
    let lags: Vec<_> = heard.lags.iter().map(|(topic, lag)| (topic.as_str(), *lag)).collect();
    assert_eq!(lags, [("gauge:g", (0, 38)), ("low:l", (9, 0))]);
    let whole = heard.offsets("app:a");
    let last = whole.len() as u64;
    assert!(last > 0 && whole.iter().copied().eq(1..=last), "{whole:?}");
    // Back again: all of the logs that it has not had, and the newest values.
    let mut back = Client::open(&scene.hub, "slow", &scene.token).await;
    let former = back.connected["payload"]["subscriptions"].as_array().unwrap().clone();
    let epoch = |topic: &str| {
        let row = former.iter().find(|row| row["topic"] == topic).unwrap();
        (row["epoch"].clone(), row["offset"].as_u64().unwrap())
    };
    assert!([last, last - 1].contains(&epoch("app:a").1), "{former:?} after {last}");
    let at = |topic: &str, offset: u64| json!({ "topic": topic, "recover": { "epoch": epoch(topic).0, "offset": offset } });
    let topics = json!([at("app:a", last), at("low:l", 0), at("gauge:g", 0)]);
    let told = back.request("subscribe", json!({ "topics": topics }), "subscribed").await;
    for topic in told["topics"].as_array().unwrap() {
        assert_eq!(topic["recovered"], true, "{told}");
    }
    let mut missed = Heard::default();
    let all = scene.offsets["app:a"] - last + scene.offsets["low:l"] + 3;
    while (missed.messages.len() as u64) < all {
        missed.messages.push(back.message().await);
    }
    assert!(missed.offsets("app:a").into_iter().eq(last + 1..=scene.offsets["app:a"]));
    assert!(missed.offsets("low:l").into_iter().eq(1..=9));
    let newest = [("k".to_owned(), 2), ("x".to_owned(), 20), ("y".to_owned(), 20)];
    assert_eq!(missed.newest("gauge:g"), newest.into());
}

/// What was dropped and could not be told before the connection ended is not passed over when the client is back.
#[tokio::test]
async fn whoever_is_cut_before_it_was_told_of_a_loss_goes_on_before_it() {
    let mut scene = Scene::open().await;
    scene.fill(80).await;
    for _ in 0..7 {
        scene.publish("low:l", "", json!("low")).await;
    }
    scene.counted(LOW_DROPPED, 7).await;
    let mut back = Client::open(&scene.hub, "slow", &scene.token).await;
    let former = back.connected["payload"]["subscriptions"].as_array().unwrap().clone();
    let low = former.iter().find(|row| row["topic"] == "low:l").unwrap();
    assert_eq!(low["offset"], 0, "{former:?}");
    let recover = json!({ "epoch": low["epoch"], "offset": low["offset"] });
    let topics = json!([{ "topic": "low:l", "recover": recover }]);
    let told = back.request("subscribe", json!({ "topics": topics }), "subscribed").await;
    assert_eq!(told["topics"][0]["recovered"], true, "{told}");
    for offset in 1..=7 {
        assert_eq!(back.message().await.offset, offset);
    }
}

#[tokio::test]
async fn after_a_pause_in_reading_the_newest_value_of_every_key_is_there() {
    const KEYS: u64 = 40;
    const ROUNDS: u64 = 12;
    let mut scene = Scene::open().await;
    scene.fill(55).await;
    for round in 1..=ROUNDS {
        for key in 0..KEYS {
            for topic in ["gauge:g", "app:keyed"] {
                scene.publish(topic, &format!("k{key}"), json!({ "value": round })).await;
            }
        }
    }
    scene.publish("app:a", "", json!("the end")).await;
    let expected: BTreeMap<String, u64> = (0..KEYS).map(|key| (format!("k{key}"), ROUNDS)).collect();
    let all = |heard: &Heard| {
        let [gauge, keyed] = ["gauge:g", "app:keyed"].map(|topic| heard.newest(topic) == expected);
        // What was not sent is told.
        let told = heard.lags.get("gauge:g").map_or(0, |lag| lag.1);
        let known = told + heard.of("gauge:g").len() as u64;
        gauge && keyed && known == KEYS * ROUNDS && heard.of("app:a").iter().any(|m| m.payload == "the end")
    };
    let (heard, code) = scene.hear(all).await;
    assert_eq!(code, None);
    for topic in ["gauge:g", "app:keyed"] {
        let offsets = heard.offsets(topic);
        assert!(offsets.is_sorted_by(|a, b| a < b), "{topic}: {offsets:?}");
        assert!((offsets.len() as u64) < 2 * KEYS, "{topic}: {} messages", offsets.len());
    }
    assert!(heard.offsets("app:a").into_iter().eq(1..=scene.offsets["app:a"]));
    assert_eq!(heard.lags["gauge:g"].0, 0);
    // Where the client asked for it, it is counted.
    let sent = heard.of("app:keyed").len() as u64;
    let conflated = "infrawatch_messages_conflated_total{place=\"subscription\"}";
    scene.counted(conflated, KEYS * ROUNDS - sent).await;
}
