//! Webhooks: a real receiver on a free port gets what it asked for, signed, the urgent first, again when it failed, and
//! nobody else notices when it hangs.

use std::collections::VecDeque;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use infrawatch::clock::{Clock, ManualClock, system_unix_ms};
use infrawatch::config::{WebhookEvent, WebhookSection};
use infrawatch::hub::HubOptions;
use infrawatch::mailbox::DeadLetter;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc, watch};

use crate::hub::{Client, Inside, until, within};

const SECRET: &str = "a secret of the receiver";

/// One request as it came.
struct Request {
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        &found.unwrap_or_else(|| panic!("no {name}")).1
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn event(&self) -> String {
        self.json()["event"].as_str().unwrap().to_owned()
    }

    /// Whether the signature is right, and of what time.
    fn signed_s(&self) -> u64 {
        let (time, signature) = self.header("x-infrawatch-signature").split_once(",v1=").unwrap();
        let time = time.strip_prefix("t=").unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update([time.as_bytes(), b".", &self.body].concat().as_slice());
        let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(signature, expected);
        time.parse().unwrap()
    }
}

/// Takes requests; answers with the statuses that it is told, then with 204; keeps all waiting while it is closed.
pub(crate) struct Receiver {
    url: String,
    requests: mpsc::Receiver<Request>,
    open: watch::Sender<bool>,
    statuses: Arc<Mutex<VecDeque<u16>>>,
}

impl Receiver {
    pub(crate) async fn start(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/hook?x=1", listener.local_addr().unwrap());
        let (heard, requests) = mpsc::channel(1_000);
        let (open, is_open) = watch::channel(true);
        let statuses = Arc::new(Mutex::new(VecDeque::from(statuses.to_vec())));
        let answers = statuses.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, heard.clone(), is_open.clone(), answers.clone()));
            }
        });
        Self { url, requests, open, statuses }
    }

    pub(crate) fn section(&self, events: &[WebhookEvent]) -> WebhookSection {
        WebhookSection { url: self.url.clone(), secret: SECRET.to_owned(), events: events.to_vec() }
    }

    async fn next(&mut self) -> Request {
        within("a request", self.requests.recv()).await.unwrap()
    }

    /// The next requests by event, each signed.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<String> {
        let mut events = Vec::new();
        while events.len() < count {
            let request = self.next().await;
            request.signed_s();
            events.push(request.event());
        }
        events
    }
}

async fn serve(
    stream: TcpStream,
    heard: mpsc::Sender<Request>,
    mut is_open: watch::Receiver<bool>,
    statuses: Arc<Mutex<VecDeque<u16>>>,
) {
    let mut stream = BufReader::new(stream);
    loop {
        let Some(request) = read(&mut stream).await else { return };
        // The test may be over.
        drop(heard.send(request).await);
        drop(is_open.wait_for(|open| *open).await);
        let status = statuses.lock().await.pop_front().unwrap_or(204);
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|bytes| *bytes > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    assert!(lines[0].starts_with("POST "), "{lines:?}");
    let header =
        |line: &String| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    let headers: Vec<_> = lines.iter().skip(1).filter_map(header).collect();
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    let mut body = vec![0; length.1.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { path, headers, body })
}

fn with(webhooks: Vec<WebhookSection>) -> impl FnOnce(&mut HubOptions) {
    |options| {
        options.settings.sampler.enabled = false;
        options.settings.webhook = webhooks;
    }
}

/// A hub whose time stands still until it is moved.
fn timed(webhooks: Vec<WebhookSection>) -> (Inside, ManualClock) {
    let (clock, hand) = Clock::manual(system_unix_ms());
    let hub = Inside::with(|options| {
        with(webhooks)(options);
        options.settings.room.grace_ms = 0;
        options.clock = clock;
    });
    (hub, hand)
}

async fn join(client: &mut Client, room: &str) {
    client.request("join_room", json!({ "room": room }), "room_joined").await;
}

async fn dead(hub: &Inside, count: usize) -> Vec<DeadLetter> {
    let mailbox = hub.state.services.webhooks.hooks()[0].mailbox();
    until("dead letters", async || {
        let dead = mailbox.dead(100).await.unwrap();
        (dead.len() == count).then_some(dead)
    })
    .await
}

#[tokio::test]
async fn a_receiver_is_told_what_it_asked_for_signed_and_nothing_else() {
    let mut all = Receiver::start(&[]).await;
    let mut rooms = Receiver::start(&[]).await;
    let (hub, hand) = timed(vec![
        all.section(&[
            WebhookEvent::Connect,
            WebhookEvent::Disconnect,
            WebhookEvent::RoomOccupied,
            WebhookEvent::RoomVacated,
        ]),
        rooms.section(&[WebhookEvent::RoomVacated]),
    ]);
    let alice = hub.client("alice").await;
    let request = all.next().await;
    assert_eq!(request.path, "/hook?x=1");
    assert_eq!(request.signed_s(), hub.state.services.clock.unix_ms() / 1_000);
    assert!(request.header("user-agent").starts_with("infrawatch/"));
    assert_eq!(request.header("content-type"), "application/json");
    let body = request.json();
    assert_eq!((&body["event"], &body["hub"]), (&json!("connect"), &json!("here")));
    assert_eq!(body["id"], request.header("idempotency-key"));
    assert_eq!(
        body["data"],
        json!({ "client_id": "alice", "subject": "ann", "role": "admin", "resumed": false })
    );

    let (mut alice, mut bob) = (alice, hub.client("bob").await);
    assert_eq!(all.events(1).await, ["connect"]);
    join(&mut alice, "lobby").await;
    assert_eq!(all.next().await.json()["data"], json!({ "room": "lobby", "client_id": "alice" }));
    join(&mut bob, "lobby").await;
    hand.advance_ms(4_000);
    alice.leave().await;
    let gone = all.next().await;
    gone.signed_s();
    let data = gone.json()["data"].clone();
    assert_eq!(
        (&data["client_id"], &data["reason"], &data["code"]),
        (&json!("alice"), &json!("normal"), &json!(1000))
    );
    assert_eq!((&data["connection_ms"], &data["session_ms"]), (&json!(4_000), &json!(4_000)));
    bob.request("leave_room", json!({ "room": "lobby" }), "room_left").await;
    assert_eq!(all.next().await.json()["event"], "room_vacated");

    // The other receiver heard of one thing only, however long it listened.
    assert_eq!(rooms.events(1).await, ["room_vacated"]);
    bob.leave().await;
    assert_eq!(all.events(1).await, ["disconnect"]);
    assert!(rooms.requests.try_recv().is_err() && all.requests.try_recv().is_err());
}

#[tokio::test]
async fn what_fails_is_tried_again_later_and_after_so_many_attempts_given_up() {
    let mut receiver = Receiver::start(&[500, 503]).await;
    let (hub, hand) = timed(vec![receiver.section(&[WebhookEvent::Connect])]);
    let _alice = hub.client("alice").await;
    let first = receiver.next().await;
    let waits = async || {
        let depth = hub.state.services.webhooks.hooks()[0].mailbox().depth().await.unwrap();
        (depth.waiting == [0, 0, 1] && depth.leased == 0).then_some(())
    };
    until("it waits for its second attempt", waits).await;
    assert!(receiver.requests.try_recv().is_err(), "not before its time");
    hand.advance_ms(1_000);
    let second = receiver.next().await;
    until("it waits for its third attempt", waits).await;
    hand.advance_ms(2_000);
    let third = receiver.next().await;
    assert_eq!((first.json(), second.json()), (third.json(), third.json()));
    assert!(first.signed_s() < third.signed_s(), "signed anew");
    until("it is taken", async || {
        let depth = hub.state.services.webhooks.hooks()[0].mailbox().depth().await.unwrap();
        (depth.items() == 0).then_some(())
    })
    .await;

    receiver.statuses.lock().await.extend([500; 5]);
    let _bob = hub.client("bob").await;
    for attempt in 1..=5 {
        receiver.next().await;
        if attempt < 5 {
            until("it waits", waits).await;
            hand.advance_ms(20_000);
        }
    }
    let letters = dead(&hub, 1).await;
    assert_eq!((&*letters[0].reason, letters[0].deliveries), ("status 500", 5));
    receiver.statuses.lock().await.push_back(410);
    let _carol = hub.client("carol").await;
    receiver.next().await;
    let letters = dead(&hub, 2).await;
    assert_eq!(
        (&*letters[1].reason, letters[1].deliveries),
        ("status 410", 1),
        "no other attempt would help"
    );

    // Delivered after all, when somebody says so.
    let ids = letters.into_iter().map(|letter| letter.id).collect();
    let mailbox = hub.state.services.webhooks.hooks()[0].mailbox();
    assert_eq!(mailbox.requeue(ids).await.unwrap(), 2);
    assert_eq!(receiver.events(2).await, ["connect", "connect"]);
}

#[tokio::test]
async fn the_urgent_goes_first_and_a_receiver_that_hangs_is_nobody_elses_trouble() {
    let mut stuck = Receiver::start(&[]).await;
    let mut fine = Receiver::start(&[]).await;
    let events = [WebhookEvent::Connect, WebhookEvent::RoomOccupied];
    let hub = Inside::with(with(vec![stuck.section(&events), fine.section(&events)]));
    stuck.open.send_replace(false);
    let mut clients = Vec::new();
    for n in 0..20 {
        clients.push(hub.client(&format!("c{n}")).await);
    }
    join(&mut clients[0], "lobby").await;
    let told = fine.events(21).await;
    assert_eq!(told.iter().filter(|event| *event == "room_occupied").count(), 1);
    // The hub's own work goes on.
    for n in 0..50 {
        clients[1].publish("bench:a", json!(n)).await;
    }
    // Four are under way and do not come back; nothing else is sent meanwhile.
    assert_eq!(stuck.events(4).await, ["connect"; 4]);
    assert!(stuck.requests.try_recv().is_err());
    stuck.open.send_replace(true);
    let rest = stuck.events(17).await;
    let at = rest.iter().position(|event| event == "room_occupied").unwrap();
    assert!(at < 4, "what was told last went ahead of what waited: {rest:?}");
}

/// Nobody listens there, then somebody does: the event waits for it.
#[tokio::test]
async fn a_receiver_that_is_not_there_is_told_when_it_is() {
    let mut receiver = Receiver::start(&[]).await;
    let nobody = infrawatch_servers::free_port();
    let mut section = receiver.section(&[WebhookEvent::Connect]);
    section.url = format!("http://127.0.0.1:{nobody}/");
    let (hub, hand) = timed(vec![section]);
    let _alice = hub.client("alice").await;
    let mailbox = hub.state.services.webhooks.hooks()[0].mailbox();
    until("the first attempt failed", async || {
        let depth = mailbox.depth().await.unwrap();
        (depth.waiting == [0, 0, 1] && depth.leased == 0).then_some(())
    })
    .await;
    let listener = TcpListener::bind(("127.0.0.1", nobody)).await.unwrap();
    hand.advance_ms(1_000);
    let (stream, _) = within("a connection", listener.accept()).await.unwrap();
    let request = within("a request", read(&mut BufReader::new(stream))).await.unwrap();
    assert_eq!(request.event(), "connect");
    receiver.requests.close();
}

#[tokio::test]
async fn a_hub_stops_while_a_receiver_hangs() {
    let mut stuck = Receiver::start(&[]).await;
    let hub = Inside::with(with(vec![stuck.section(&[WebhookEvent::Connect])]));
    stuck.open.send_replace(false);
    let _alice = hub.client("alice").await;
    assert_eq!(stuck.events(1).await, ["connect"]);
    let begun = tokio::time::Instant::now();
    tokio::task::spawn_blocking(move || drop(hub)).await.unwrap();
    let took = begun.elapsed();
    assert!(took < std::time::Duration::from_secs(5), "the hub stopped after {took:?}");
}

/// What one hub noticed is delivered by another one on the same Redis, after its end.
#[tokio::test]
async fn with_redis_an_event_outlives_its_hub() {
    let server = infrawatch_servers::Redis::start();
    let nobody = infrawatch_servers::free_port();
    let section = WebhookSection {
        url: format!("http://127.0.0.1:{nobody}/"),
        secret: SECRET.to_owned(),
        events: vec![WebhookEvent::RoomOccupied],
    };
    let start = || {
        Inside::with(|options| {
            with(vec![section.clone()])(options);
            options.redis_url = Some(server.url());
        })
    };
    let first = start();
    let mut alice = first.client("alice").await;
    join(&mut alice, "lobby").await;
    let mailbox = first.state.services.webhooks.hooks()[0].mailbox();
    until("the event waits", async || {
        let depth = mailbox.depth().await.ok()?;
        (depth.waiting == [0, 1, 0]).then_some(())
    })
    .await;
    tokio::task::spawn_blocking(move || drop(first)).await.unwrap();
    let listener = TcpListener::bind(("127.0.0.1", nobody)).await.unwrap();
    let _second = start();
    let (stream, _) = within("a connection", listener.accept()).await.unwrap();
    let request = within("a request", read(&mut BufReader::new(stream))).await.unwrap();
    request.signed_s();
    assert_eq!(request.json()["data"], json!({ "room": "lobby", "client_id": "alice" }));
}
