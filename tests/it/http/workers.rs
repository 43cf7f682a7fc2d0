//! Actors that have no place for more: what is asked of them is said to have failed, or comes late.

use std::rc::Rc;
use std::sync::Arc;

use infrawatch::auth::{Claims, Role};
use infrawatch::connection::requests::Resumed;
use infrawatch::connection::{Arrival, Identity, Shard};
use infrawatch::ids::{ClientId, NodeName};
use infrawatch::node::{Batch, Report, Source};
use infrawatch::protocol::encoding::Format;
use infrawatch::protocol::frame::SharedFrame;
use infrawatch::telemetry::Cause;
use infrawatch::topic::{Delivery, Member};
use tokio::io::{AsyncReadExt, DuplexStream};

use super::Scene;
use crate::hub::within;

const PIPE_BYTES: usize = 1 << 20;

/// A connection over a pipe; the client's end of it.
fn seat(scene: &Scene, shard: &Rc<Shard>, name: &str) -> (Member, DuplexStream) {
    let services = &scene.state.services;
    let claims: Arc<Claims> =
        services.auth.authenticate(&scene.token(Role::Viewer), services.clock.unix_ms()).unwrap().into();
    let address = "127.0.0.1".parse().unwrap();
    let identity = Identity { client_id: ClientId::parse(name).unwrap(), claims, address };
    let id = identity.client_id.clone();
    let arrived = services.clients.arrive(&identity, services.clock.unix_ms(), 10).unwrap().arrived;
    let (client, io) = tokio::io::duplex(PIPE_BYTES);
    let arrival = Arrival {
        io: Box::new(io),
        leftover: Vec::new(),
        identity,
        format: Format::JSON,
        presets: &[],
        resumed: Resumed::default(),
        response: Vec::new(),
    };
    let member = shard.admit(arrival, &Cause::own());
    services.clients.seated(&id, arrived, 0, member);
    (member, client)
}

/// Reads until this came.
async fn hear(client: &mut DuplexStream, expected: &[u8]) {
    let mut heard = Vec::new();
    let hearing = async {
        while !heard.windows(expected.len()).any(|part| part == expected) {
            assert!(client.read_buf(&mut heard).await.unwrap() > 0, "the end comes before {expected:?}");
        }
    };
    within("what the worker owes", hearing).await;
}

#[actix_web::test]
async fn what_a_full_worker_refuses_happens_at_its_next_tick() {
    let scene = Scene::with(|options| {
        options.settings.connection.ping_interval_ms = 100;
        options.settings.connection.pong_grace_ms = 3_600_000;
    })
    .await;
    let (services, shards) = (&scene.state.services, &scene.state.shards);
    let shard = shards.start(0, services);
    let [(_, mut closed), (_, mut replaced), (member, mut told)] =
        ["closed", "replaced", "told"].map(|name| seat(&scene, &shard, name));
    // The worker has begun: it looks at its outlet only when it is woken, or at a tick.
    for client in [&mut closed, &mut replaced, &mut told] {
        hear(client, b"\"connected\"").await;
    }
    // Nothing runs in between: the worker is on this thread.
    let frame = SharedFrame::json("\"all\"".into());
    while shards.tell_all(&frame) {}
    assert!(services.clients.disconnect(&ClientId::parse("closed").unwrap()));
    let owed = SharedFrame::json("\"owed\"".into());
    shard.outlet.push(Delivery::Reply { member, frame: owed }).unwrap();
    let (worker, place) = services
        .clients
        .page(None, 9)
        .into_iter()
        .find_map(|(id, client)| client.place().filter(|_| id.as_str() == "replaced"))
        .unwrap();
    shards.take_over(worker, place).await;
    hear(&mut told, b"\"owed\"").await;
    // The codes in the close frames: 1000 and 4001.
    hear(&mut closed, &[0x03, 0xe8, b'n', b'o', b'r']).await;
    hear(&mut replaced, &[0x0f, 0xa1, b'r', b'e', b'p']).await;
}

#[actix_web::test]
async fn a_node_that_does_not_answer_is_not_an_unknown_one() {
    let scene = Scene::open().await;
    scene.get("/api/v1/nodes/n1").await.problem(404, "not_found");
    let report = || Report {
        source: Source::Agent,
        batches: vec![Batch { unix_ms: 1, columns: [].into(), values: Vec::new() }],
        labels: None,
        inventory: None,
        interval_ms: None,
        ttl_ms: None,
    };
    let node = NodeName::parse("n1").unwrap();
    scene.state.fleet.report(&node, report(), &Cause::own()).unwrap();
    assert_eq!(scene.get("/api/v1/nodes/n1").await.status, 200);
    for path in ["/api/v1/nodes/n1", "/api/v1/streaming/metrics/current?node=n1"] {
        // The node is on this thread: it handles none of these before it is asked.
        while scene.state.fleet.report(&node, report(), &Cause::own()).is_ok() {}
        let answer = scene.get(path).await;
        let problem = answer.problem(503, "overloaded");
        assert!(problem["detail"].as_str().unwrap().contains("n1 does not answer"), "{problem}");
        assert_eq!(answer.header("retry-after"), "1");
        crate::hub::until("it answers again", async || {
            (scene.get("/api/v1/nodes/n1").await.status == 200).then_some(())
        })
        .await;
    }
}
