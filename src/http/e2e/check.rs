//! The steps of the check. Each says what it found; a step that needs one that failed is skipped and says so.
//!
//! What it leaves behind is labelled: the node `synthetic-e2e`, one alert of severity `info`, messages on topics
//! of its own.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::Step;
use super::loopback::{Loopback, in_time};
use crate::alert::{Labels, Posted, Severity, Text};
use crate::auth::{NewToken, Role};
use crate::broker::Draft;
use crate::http::demo;
use crate::http::state::State;
use crate::ids::TopicName;
use crate::telemetry::Cause;

/// How long the check's token is good, in milliseconds.
const TOKEN_TTL_MS: u64 = 60_000;

/// Whose token it is.
const SUBJECT: &str = "e2e";

/// The node that the check reports for.
const NODE: &str = "synthetic-e2e";

/// How long the check's alert is open, in milliseconds.
const ALERT_LASTS_MS: u64 = 60_000;

/// Messages that follow the first one.
const FURTHER: u64 = 5;

/// Messages that are published while the client is away.
const MISSED: u64 = 3;

type Found = Result<String, String>;

/// One run of the check.
struct Check<'a> {
    state: &'a State,
    cause: &'a Cause,
    /// A word that no other run has.
    run: String,
    /// Every role allows this topic to an admin; nobody else subscribes.
    topic: String,
    token: Option<String>,
    client: Option<Loopback>,
    /// Where the client stands on the topic.
    position: Option<(String, u64)>,
    steps: Vec<Step>,
}

/// Runs all steps.
pub(super) async fn all(state: &State, cause: &Cause) -> Vec<Step> {
    let run = uuid::Uuid::now_v7().simple().to_string();
    let topic = format!("e2e:{run}");
    let (token, client, position, steps) = (None, None, None, Vec::new());
    let mut check = Check { state, cause, run, topic, token, client, position, steps };
    check.run().await;
    if let Some(client) = check.client.take() {
        client.leave().await;
    }
    check.steps
}

/// Does a step with what it needs: the open client, or nothing.
macro_rules! step {
    ($check:ident, $name:literal, $work:ident) => {
        let begun = Instant::now();
        let found = $check.$work().await;
        $check.note($name, begun, found);
    };
}

impl Check<'_> {
    async fn run(&mut self) {
        step!(self, "token", token);
        step!(self, "connect", connect);
        step!(self, "subscribe", subscribe);
        step!(self, "publish", publish);
        step!(self, "deliver", deliver);
        step!(self, "ack", ack);
        step!(self, "store", store);
        step!(self, "ingest", ingest);
        step!(self, "alert", alert);
        step!(self, "recovery", recovery);
    }

    fn note(&mut self, name: &'static str, begun: Instant, found: Found) {
        let ms = (begun.elapsed().as_secs_f64() * 10_000.0).round() / 10.0;
        let passed = found.is_ok();
        let (Ok(detail) | Err(detail)) = found;
        self.steps.push(Step { name, passed, ms, detail });
    }

    fn client_id(&self) -> String {
        format!("e2e-{}", self.run)
    }

    fn client(&mut self) -> Result<&mut Loopback, String> {
        self.client.as_mut().ok_or_else(|| "skipped: there is no connection".to_owned())
    }

    async fn token(&mut self) -> Found {
        let services = &self.state.services;
        let now_ms = services.clock.unix_ms();
        let new = NewToken {
            subject: SUBJECT.to_owned(),
            role: Role::Admin,
            node: None,
            topics: None,
            ttl_ms: TOKEN_TTL_MS,
        };
        let (token, _claims) = services.auth.issue(new, now_ms).map_err(|error| error.to_string())?;
        let claims = services.auth.authenticate(&token, now_ms).map_err(|error| error.to_string())?;
        self.token = Some(token);
        Ok(format!("a token of {} for {} s is signed and accepted", claims.sub, TOKEN_TTL_MS / 1_000))
    }

    async fn connect(&mut self) -> Found {
        let token = self.token.clone().ok_or("skipped: there is no token")?;
        let (client, connected) = Loopback::open(self.state.address, &self.client_id(), &token).await?;
        self.client = Some(client);
        Ok(format!("connected to {} as {}", self.state.address, connected["payload"]["client_id"]))
    }

    async fn subscribe(&mut self) -> Found {
        let topics = json!({ "topics": [self.topic, "metrics_update", "alerts_info"] });
        let answer = self.client()?.ask("subscribe", topics).await?;
        let subscribed = answer["payload"]["topics"].as_array().map_or(0, Vec::len);
        match subscribed {
            3 => Ok("subscribed to 3 topics".to_owned()),
            fewer => Err(format!("subscribed to {fewer} of 3 topics")),
        }
    }

    async fn publish(&mut self) -> Found {
        let message = json!({ "topic": self.topic, "data": { "run": self.run }, "priority": "critical" });
        let answer = self.client()?.ask("publish", message).await?;
        let (epoch, offset) = (&answer["payload"]["epoch"], &answer["payload"]["offset"]);
        let place = epoch.as_str().zip(offset.as_u64());
        let (epoch, offset) = place.ok_or_else(|| format!("published without a place: {answer}"))?;
        self.position = Some((epoch.to_owned(), offset));
        Ok(format!("published at offset {offset}"))
    }

    async fn deliver(&mut self) -> Found {
        let (epoch, first) = self.position.clone().ok_or("skipped: nothing was published")?;
        let (topic, run) = (self.topic.clone(), self.run.clone());
        let message = self.client()?.message(&topic, |_any| true).await?;
        if message["payload"]["run"] != *run || message["metadata"]["offset"] != first {
            return Err(format!("another message came: {message}"));
        }
        for n in 1..=FURTHER {
            let message = json!({ "topic": topic, "data": n });
            let answer = self.client()?.ask("publish", message).await?;
            let heard = self.client()?.message(&topic, |_any| true).await?;
            let offsets = [&answer["payload"]["offset"], &heard["metadata"]["offset"]];
            if heard["payload"] != n || offsets.iter().any(|offset| **offset != first + n) {
                return Err(format!("message {n} became {answer} and {heard}"));
            }
        }
        self.position = Some((epoch, first + FURTHER));
        Ok(format!("{} messages delivered unchanged, in order, without a gap", FURTHER + 1))
    }

    /// The client's own queue: what is published to it arrives unasked, and is taken out by `ack`.
    async fn ack(&mut self) -> Found {
        let queue = format!("client:{}", self.client_id());
        let message = json!({ "topic": queue, "data": { "run": self.run }, "priority": "critical" });
        let answer = self.client()?.ask("publish", message).await?;
        let offset = &answer["payload"]["offset"];
        self.client()?.message(&queue, |frame| frame["metadata"]["offset"] == *offset).await?;
        self.client()?.tell("ack", json!({ "topic": queue, "offset": offset })).await?;
        Ok(format!("offset {offset} of the client's own queue arrived and is acknowledged"))
    }

    /// The same queue again: it is kept in the store, whoever everybody is under `--dev`.
    async fn store(&mut self) -> Found {
        let queue = format!("client:{}", self.client_id());
        let message = json!({ "topic": queue, "data": { "run": self.run } });
        let answer = self.client()?.ask("publish", message).await?;
        let stored = self.state.store.tail_events(&queue, 1, None).await;
        let stored = stored.map_err(|error| error.to_string())?;
        let newest = stored.first().ok_or("acknowledged, and nothing is in the store")?;
        let payload: Value = serde_json::from_slice(&newest.payload).unwrap_or_default();
        if payload["run"] != *self.run || answer["payload"]["offset"] != newest.offset {
            return Err(format!("acknowledged, and the store has {payload} at {}", newest.offset));
        }
        Ok(format!("acknowledged after the commit; read back at offset {}", newest.offset))
    }

    async fn ingest(&mut self) -> Found {
        let value = f64::from(u32::from_str_radix(&self.run[24..], 16).unwrap_or(7));
        let report = json!({ "node": NODE, "names": ["e2e_probe"], "values": [value],
            "labels": { demo::SYNTHETIC: "true" }, "interval_ms": 60_000, "ttl_ms": 60_000 });
        let ack = self.client()?.ask("metrics", report).await?;
        if ack["payload"]["accepted"] != 1 || ack["payload"]["durable"] != true {
            return Err(format!("not durable: {}", ack["payload"]));
        }
        let is_it = |frame: &Value| frame["payload"]["metrics"]["e2e_probe"] == value;
        self.client()?.message("metrics_update", is_it).await?;
        Ok(format!("a sample of {NODE} is committed, and live on metrics_update"))
    }

    async fn alert(&mut self) -> Found {
        let labels = [(demo::SIMULATED, "true"), (demo::SYNTHETIC, "true"), ("run", self.run.as_str())];
        let text = Text {
            severity: Severity::Info,
            title: "End-to-end check".to_owned(),
            message: "Everything that should arrive does.".to_owned(),
            labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            annotations: Labels::new(),
        };
        let ends_at_ms = Some(self.state.services.clock.unix_ms().saturating_add(ALERT_LASTS_MS));
        let posted = Posted { service: Some("infrawatch".to_owned()), text, ends_at_ms };
        self.client()?;
        let alerts = &self.state.services.alerts;
        let taken = alerts.post(posted, SUBJECT, self.cause).await.map_err(|error| error.to_string())?;
        if taken.waits && alerts.is_degraded() {
            return Err("queued: the breaker of alerts is not closed".to_owned());
        }
        let id = taken.alert.id;
        self.client()?.message("alerts_info", |frame| frame["payload"]["alert"]["id"] == *id).await?;
        Ok("broadcast, kept in the store, and delivered".to_owned())
    }

    async fn recovery(&mut self) -> Found {
        let (epoch, offset) = self.position.clone().ok_or("skipped: nothing was published")?;
        let token = self.token.clone().ok_or("skipped: there is no token")?;
        self.client.take().ok_or("skipped: there is no connection")?.vanish();
        for n in 1..=MISSED {
            self.publish_missed(n).await?;
        }
        let (mut client, connected) = Loopback::open(self.state.address, &self.client_id(), &token).await?;
        let recover = json!({ "topic": self.topic, "recover": { "epoch": epoch, "offset": offset } });
        let answer = client.ask("subscribe", json!({ "topics": [recover] })).await?;
        let told = &answer["payload"]["topics"][0];
        if told["recovered"] != true {
            return Err(format!("not recovered: {told}"));
        }
        for n in 1..=MISSED {
            let message = client.message(&self.topic, |_any| true).await?;
            if message["payload"]["missed"] != n || message["metadata"]["offset"] != offset + n {
                return Err(format!("message {n} is missing; this one came: {message}"));
            }
        }
        self.client = Some(client);
        let resumed = connected["payload"]["resumed"] == true;
        Ok(format!("{MISSED} missed messages recovered in order; session resumed: {resumed}"))
    }

    async fn publish_missed(&self, n: u64) -> Result<(), String> {
        let topic = TopicName::parse(&self.topic).map_err(|error| error.to_string())?;
        let draft = Draft::of(&json!({ "missed": n })).map_err(|error| error.to_string())?;
        let broker = &self.state.services.broker;
        let publish =
            async { broker.publish_and_wait(&topic, draft, self.cause).await.map_err(|e| e.to_string()) };
        in_time("publish", publish).await.map(drop)
    }
}
