//! A message all the way: from a client's request through connection, broker, topic and shard into the sockets of its
//! subscribers, which take everything and forget it. The hub is real, on one thread, and its time stands still.

use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix::System;
use infrawatch::auth::Claims;
use infrawatch::clock::Clock;
use infrawatch::config::Settings;
use infrawatch::connection::requests::Resumed;
use infrawatch::connection::socket::Inbound;
use infrawatch::connection::stream::SocketIo;
use infrawatch::connection::{Arrival, Identity, Shard};
use infrawatch::hub::{Hub, HubOptions, bind};
use infrawatch::ids::{ClientId, TopicName};
use infrawatch::protocol::encoding::Format;
use infrawatch::supervision::Places;
use infrawatch::telemetry::Cause;
use infrawatch::topic::Member;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Case;
use super::encode::payload;

pub(super) const CASES: &[Case] = &[
    Case { name: "hub/critical_to_1", make: || publish(1, 1, "critical", 0) },
    Case { name: "hub/critical_to_100", make: || publish(100, 1, "critical", 0) },
    Case { name: "hub/critical_to_400", make: || publish(400, 1, "critical", 0) },
    Case { name: "hub/critical_to_1000", make: || publish(1_000, 1, "critical", 0) },
    Case { name: "hub/critical_to_4000", make: || publish(4_000, 1, "critical", 0) },
    Case {
        name: "hub/critical_to_100_beside_99000_idle_topics",
        make: || publish(100, 1, "critical", 99_000),
    },
    Case { name: "hub/64_normal_to_100", make: || publish(100, 64, "normal", 0) },
];

/// Longer than a normal message may wait for others.
const FLUSH_MS: u64 = 101;

/// A client that takes everything and never says a word.
struct Sink;

impl AsyncRead for Sink {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Sink {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl SocketIo for Sink {
    fn write_now(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(parts.iter().map(|part| part.len()).sum())
    }
}

async fn start_hub(directory: &std::path::Path) -> (Hub, Rc<Shard>) {
    let mut settings = Settings::default();
    settings.sampler.enabled = false;
    settings.alert.seeds = false;
    let options = HubOptions {
        settings,
        data_dir: directory.to_owned(),
        store: None,
        signing_key: None,
        workers: 1,
        dev: true,
        rate_limits: false,
        places: Places::Here,
        clock: Clock::manual(1_795_223_722_042).0,
        // Nobody asks for a load test.
        program: "infrawatch".into(),
        lab: false,
        rules: None,
        redis_url: None,
        advertise: None,
    };
    let listener = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let hub = Hub::start(options, listener).await.unwrap();
    let state = hub.state();
    let shard = state.shards.start(0, &state.services);
    (hub, shard)
}

fn connect(shard: &Rc<Shard>, client_id: &str) -> Member {
    let identity = Identity {
        client_id: ClientId::parse(client_id).unwrap(),
        claims: Arc::new(Claims::development()),
        address: Ipv4Addr::LOCALHOST.into(),
    };
    let (io, leftover, response) = (Box::new(Sink), Vec::new(), Vec::new());
    let (format, resumed) = (Format::JSON, Resumed::default());
    shard.admit(Arrival { io, leftover, identity, format, presets: &[], resumed, response }, &Cause::own())
}

fn tell(shard: &Shard, member: Member, text: &str) {
    let seat = shard.seat(member).unwrap();
    seat.socket.push_inbound(Inbound::Text(text.into()));
    seat.wake_actor(&Cause::own());
}

/// Time goes on as soon as nobody can do anything.
async fn pass(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

fn publish(subscribers: usize, messages: usize, priority: &str, idle_topics: usize) -> Box<dyn FnMut()> {
    let system = System::with_tokio_rt(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(true).build().unwrap()
    });
    let directory = tempfile::tempdir().unwrap();
    let (hub, shard) = system.block_on(start_hub(directory.path()));
    let publisher = system.block_on(async {
        for n in 0..idle_topics {
            let name = TopicName::parse(&format!("idle:{n}")).unwrap();
            hub.state().services.broker.open(&name).unwrap();
        }
        for n in 0..subscribers {
            let member = connect(&shard, &format!("subscriber-{n}"));
            tell(&shard, member, r#"{"type":"subscribe","topics":["bench:hot"]}"#);
        }
        pass(FLUSH_MS).await;
        connect(&shard, "publisher")
    });
    let data = payload(200);
    let request = format!(
        r#"{{"type":"publish","id":"r","payload":{{"topic":"bench:hot","priority":"{priority}","data":{data}}}}}"#
    );
    let flush_ms = if priority == "critical" { 1 } else { FLUSH_MS };
    let received = move |shard: &Shard| shard.seats().iter().map(|seat| seat.socket.bytes_out.get()).min();
    let mut before = received(&shard);
    Box::new(move || {
        let _alive = (&hub, &directory);
        system.block_on(async {
            for _ in 0..messages {
                tell(&shard, publisher, &request);
            }
            pass(flush_ms).await;
        });
        let after = received(&shard);
        assert!(after > before, "a client got nothing");
        before = after;
    })
}
