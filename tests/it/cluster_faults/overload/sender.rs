//! A connection of the load: frames of samples from a window, or on schedule whatever the hub says.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::stage::{Phase, Stage};
use crate::hub::{Hub, RawEvent, RawSocket, TEXT, Upgrade, frame};

/// Samples in a frame.
pub(super) const SAMPLES: usize = 100;

/// Frames that a sender which waits for its answers has under way: as many as an agent.
const WINDOW: u64 = 32;

/// Between two looks at the schedule.
const TICK: Duration = Duration::from_millis(5);

/// Without an answer; what is due beyond that is held back. Twice what the hub takes of a connection.
const UNANSWERED_MAX: u64 = 512;

/// Digits of a frame's number, and of a moment.
const NUMBER_DIGITS: usize = 8;
const MOMENT_DIGITS: usize = 13;

/// What became of the frames of one phase; answers count for the phase in which they come.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    /// Written to the socket.
    pub(super) sent: u64,
    /// Due, and not written: so many have no answer yet.
    pub(super) held_back: u64,
    pub(super) durable: u64,
    /// By code; `not durable` without one.
    pub(super) refused: BTreeMap<String, u64>,
    /// `flow` frames, which nobody obeys.
    pub(super) flows: u64,
}

impl Tally {
    /// Whether not all of it was taken.
    pub(super) fn is_turned_away(&self) -> bool {
        self.held_back > 0 || !self.refused.is_empty()
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.held_back += other.held_back;
        self.durable += other.durable;
        self.flows += other.flows;
        for (code, count) in &other.refused {
            *self.refused.entry(code.clone()).or_default() += count;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, held_back, durable, refused, flows } = self;
        let due = sent + held_back;
        write!(
            to,
            "{due} frames due, {sent} sent, {durable} durable, refused {refused:?}, {flows} times flow"
        )
    }
}

/// Which frames were acknowledged as durable: a bit each.
#[derive(Debug, Default)]
pub(super) struct Ledger(Vec<u64>);

impl Ledger {
    fn note(&mut self, n: u64) {
        let (word, bit) = (usize::try_from(n / 64).unwrap(), n % 64);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << bit;
    }

    pub(super) fn has(&self, n: u64) -> bool {
        let word = usize::try_from(n / 64).unwrap();
        self.0.get(word).is_some_and(|bits| bits >> (n % 64) & 1 == 1)
    }

    /// Above every number that it has.
    pub(super) fn end(&self) -> u64 {
        64 * self.0.len() as u64
    }

    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|bits| u64::from(bits.count_ones())).sum()
    }
}

/// The connection.
pub(super) struct Sender<'a> {
    pub(super) node: String,
    stage: &'a Stage,
    stream: TcpStream,
    /// A frame, and where its number and its moment stand.
    template: (Vec<u8>, usize, usize),
    /// The moment of frame 0; each is a millisecond later than the one before.
    begun_ms: u64,
    /// The next frame's number, and how many are answered.
    next: u64,
    answered: u64,
    /// When the schedule of this phase began, and what was due since.
    schedule: (Phase, Instant, u64),
    pending: Vec<u8>,
    heard: Vec<u8>,
    pub(super) tallies: [Tally; Phase::COUNT],
    pub(super) ledger: Ledger,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    payload: Outcome<'a>,
    #[serde(borrow)]
    metadata: Reply<'a>,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    durable: Option<bool>,
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    reply_to: Option<Cow<'a, str>>,
}

impl<'a> Sender<'a> {
    pub(super) async fn open(hub: &Hub, node: &str, begun_ms: u64, stage: &'a Stage) -> Self {
        let upgrade = Upgrade::to(&format!("/ws/{node}")).bearer(&hub.agent_token(node));
        let mut raw = RawSocket::open(hub, &upgrade).await.unwrap();
        let first = raw.next().await;
        assert!(matches!(&first, RawEvent::Text(text) if text.contains("connected")), "{first:?}");
        let (stream, heard) = raw.into_parts();
        let schedule = (Phase::Sustained, Instant::now(), 0);
        let (tallies, ledger, pending) = Default::default();
        let (node, template) = (node.to_owned(), template(node));
        let (next, answered) = (0, 0);
        Self {
            node,
            stage,
            stream,
            template,
            begun_ms,
            next,
            answered,
            schedule,
            pending,
            heard,
            tallies,
            ledger,
        }
    }

    /// Sends until the stage is over, and hears every answer.
    pub(super) async fn run(mut self) -> Self {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let phase = self.stage.phase();
            if phase == Phase::Over && self.answered == self.next && self.pending.is_empty() {
                return self;
            }
            let interest = match self.pending.is_empty() {
                true => Interest::READABLE,
                false => Interest::READABLE | Interest::WRITABLE,
            };
            tokio::select! {
                _at = tick.tick() => self.offer(phase),
                ready = self.stream.ready(interest) => {
                    let ready = ready.unwrap();
                    if ready.is_readable() {
                        self.hear(phase);
                    }
                }
            }
            self.write();
        }
    }

    /// Makes the frames that are due.
    fn offer(&mut self, phase: Phase) {
        if self.schedule.0 != phase {
            self.schedule = (phase, Instant::now(), 0);
        }
        let due = match phase {
            Phase::Sustained => WINDOW - (self.next - self.answered),
            Phase::Overload | Phase::Stopped => {
                let (_, begun, before) = &mut self.schedule;
                let planned = begun.elapsed().as_micros() as u64
                    * self.stage.rate_mhz.load(Ordering::Relaxed)
                    / 1_000_000_000;
                std::mem::replace(before, planned).abs_diff(planned)
            }
            Phase::Over => 0,
        };
        for _ in 0..due {
            self.push(phase);
        }
    }

    fn push(&mut self, phase: Phase) {
        let tally = &mut self.tallies[phase as usize];
        if self.next - self.answered >= UNANSWERED_MAX {
            tally.held_back += 1;
            return;
        }
        tally.sent += 1;
        let (bytes, number_at, moment_at) = &mut self.template;
        let number = format!("{:0NUMBER_DIGITS$}", self.next);
        bytes[*number_at..*number_at + NUMBER_DIGITS].copy_from_slice(number.as_bytes());
        let moment = (self.begun_ms + self.next).to_string();
        bytes[*moment_at..*moment_at + MOMENT_DIGITS].copy_from_slice(moment.as_bytes());
        self.pending.extend_from_slice(bytes);
        self.next += 1;
    }

    fn write(&mut self) {
        let mut written = 0;
        while written < self.pending.len() {
            match self.stream.try_write(&self.pending[written..]) {
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{}: {error}", self.node),
            }
        }
        self.pending.drain(..written);
    }

    fn hear(&mut self, phase: Phase) {
        match self.stream.try_read_buf(&mut self.heard) {
            Ok(0) => panic!("{}: the hub closed: {:?}", self.node, String::from_utf8_lossy(&self.heard)),
            Ok(_bytes) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("{}: {error}", self.node),
        }
        let heard = std::mem::take(&mut self.heard);
        let mut rest = &heard[..];
        while let Some((first, payload, after)) = split(rest) {
            match first {
                0x81 => self.understand(phase, payload),
                0x89 => self.pending.extend(frame(0x8a, payload)),
                other => panic!("{}: {other:#x}: {:?}", self.node, String::from_utf8_lossy(payload)),
            }
            rest = after;
        }
        self.heard = rest.to_vec();
        if phase == Phase::Sustained {
            self.offer(phase);
        }
    }

    fn understand(&mut self, phase: Phase, text: &[u8]) {
        let said: Said<'_> = serde_json::from_slice(text).unwrap();
        let tally = &mut self.tallies[phase as usize];
        let Some(number) = said.metadata.reply_to else {
            tally.flows += u64::from(said.kind == "flow");
            return;
        };
        self.answered += 1;
        if said.payload.durable == Some(true) {
            tally.durable += 1;
            self.stage.durable.fetch_add(1, Ordering::Relaxed);
            self.ledger.note(number.parse().unwrap());
        } else {
            self.stage.refused.fetch_add(u64::from(said.payload.code.is_none()), Ordering::Relaxed);
            let code = said.payload.code.map_or_else(|| "not durable".to_owned(), Cow::into_owned);
            *tally.refused.entry(code).or_default() += 1;
        }
    }
}

/// A frame of the node, and where its number and its moment stand in it.
fn template(node: &str) -> (Vec<u8>, usize, usize) {
    let (number, moment) = ("#".repeat(NUMBER_DIGITS), "@".repeat(MOMENT_DIGITS));
    let names: Vec<String> = (0..SAMPLES).map(|n| format!("metric_{n}")).collect();
    let payload = serde_json::json!({ "node": node, "timestamp": moment, "names": names, "values": vec![1.5; SAMPLES] });
    let text = serde_json::json!({ "type": "metrics", "id": number, "payload": payload }).to_string();
    // A moment is a number: without quotes.
    let text = text.replace(&format!("\"{moment}\""), &moment);
    let bytes = frame(TEXT, text.as_bytes());
    let place = |of: u8| bytes.iter().position(|byte| *byte == of).unwrap();
    let (number_at, moment_at) = (place(b'#'), place(b'@'));
    (bytes, number_at, moment_at)
}

/// The first frame of the hub: its first byte, its payload, what follows.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (start, length) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()))),
        127 => panic!("no answer is that long"),
        short => (2, usize::from(short)),
    };
    Some((bytes[0], bytes.get(start..start + length)?, &bytes[start + length..]))
}
