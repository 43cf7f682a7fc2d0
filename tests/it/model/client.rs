//! What a client sees, checked against the naive model as it comes.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::ops::From;
use super::pipe::Pipe;
use super::session::Former;
use super::truth::{Asks, TopicTruth};

/// What a client asked for and has no answer to.
pub(super) struct Asked {
    recover: Option<(String, u64)>,
    asks: Asks,
    /// Whether every message after the place that it named was there for sure.
    must_recover: bool,
}

/// A subscription that was answered.
pub(super) struct Subscription {
    pub(super) asks: Asks,
    pub(super) epoch: String,
    /// Everything up to here is not this subscription's.
    pub(super) start: u64,
    /// Where the topic stood when it began.
    pub(super) joined_at: u64,
    pub(super) last: u64,
    pub(super) seen: Vec<u64>,
    /// The first of its topic on this connection, which has stayed in one epoch: its account must come out even.
    exact: bool,
}

/// A connection.
pub(super) struct Link {
    pub(super) pipe: Pipe,
    unparsed: Vec<u8>,
    /// Bytes that were parsed in all.
    parsed: u64,
    /// It has not always read everything at once.
    pub(super) was_slow: bool,
    pub(super) asked: HashMap<(String, usize), Asked>,
    pub(super) subscriptions: HashMap<usize, Subscription>,
    /// By topic: messages that `lagged` has told of, and gaps that were seen.
    pub(super) told: HashMap<usize, u64>,
    pub(super) gaps: HashMap<usize, u64>,
    /// Where frames began that nothing critical may be behind.
    calm: Vec<u64>,
    pub(super) closed: bool,
}

/// A client over all of its connections.
pub(super) struct Client {
    pub(super) index: usize,
    pub(super) link: Option<Link>,
    /// The connection before this one.
    pub(super) former: Option<Former>,
    last: HashMap<usize, (String, u64)>,
    requests: usize,
}

pub(super) type Check = Result<(), String>;

pub(super) fn ensure(holds: bool, what: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(what()) }
}

pub(super) fn text<'a>(value: &'a Value, what: &str) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("no {what}: {value}"))
}

pub(super) fn number(value: &Value, what: &str) -> Result<u64, String> {
    value.as_u64().ok_or_else(|| format!("no {what}: {value}"))
}

impl Link {
    pub(super) fn new(pipe: Pipe) -> Self {
        Self {
            pipe,
            unparsed: Vec::new(),
            parsed: 0,
            was_slow: false,
            asked: HashMap::new(),
            subscriptions: HashMap::new(),
            told: HashMap::new(),
            gaps: HashMap::new(),
            calm: Vec::new(),
            closed: false,
        }
    }

    /// Losses that the client was told of.
    pub(super) fn declared(&self) -> u64 {
        self.told.values().sum()
    }

    /// Whether a critical message of the topic goes straight to the outbox: nothing missed is still to come.
    pub(super) fn is_plain_and_level(&self, topic: usize) -> bool {
        let asked = self.asked.keys().any(|(_, asked)| *asked == topic);
        let plain = |sub: &Subscription| sub.asks == Asks::Nothing && sub.last >= sub.joined_at;
        !asked && !self.closed && self.subscriptions.get(&topic).is_some_and(plain)
    }
}

impl Client {
    pub(super) fn new(index: usize) -> Self {
        Self { index, link: None, former: None, last: HashMap::new(), requests: 0 }
    }

    /// The text of a request to subscribe.
    pub(super) fn subscribe(
        &mut self,
        topics: &[usize],
        from: From,
        asks: Asks,
        truths: &[TopicTruth],
        must_recover: impl Fn(&TopicTruth, u64) -> bool,
    ) -> Option<String> {
        self.requests += 1;
        let id = format!("r{}", self.requests);
        let link = self.link.as_mut()?;
        let mut asked_topics = Vec::new();
        for topic in topics {
            let truth = &truths[*topic];
            let own = self.last.get(topic).cloned();
            let recover = match from {
                From::Nowhere => None,
                From::Own => own,
                From::Before(back) => own.map(|(epoch, offset)| (epoch, offset.saturating_sub(back))),
                From::Beyond => Some((truth.epoch().to_owned(), truth.life().len() as u64 + 5)),
                From::Foreign => Some(("000000000000".to_owned(), 1)),
            };
            let mut fields = asks.fields();
            fields["topic"] = json!(truth.name);
            if let Some((epoch, offset)) = &recover {
                fields["recover"] = json!({ "epoch": epoch, "offset": offset });
            }
            let in_epoch = recover.as_ref().filter(|(epoch, _)| epoch == truth.epoch());
            let must = in_epoch.is_some_and(|(_, offset)| {
                *offset <= truth.life().len() as u64 && must_recover(truth, *offset)
            });
            link.asked.insert((id.clone(), *topic), Asked { recover, asks, must_recover: must });
            asked_topics.push(fields);
        }
        Some(json!({ "type": "subscribe", "id": id, "topics": asked_topics }).to_string())
    }

    /// Where a topic's subscription is.
    pub(super) fn at(&self, topic: usize) -> Option<(&str, u64)> {
        let subscription = self.link.as_ref()?.subscriptions.get(&topic)?;
        Some((&subscription.epoch, subscription.last))
    }

    /// Takes in what came over the connection.
    pub(super) fn hear(&mut self, bytes: &[u8], truths: &[TopicTruth]) -> Check {
        let Some(mut link) = self.link.take() else { return Ok(()) };
        link.unparsed.extend_from_slice(bytes);
        let mut outcome = Ok(());
        while let Some((opcode, payload, length)) = parse(&link.unparsed) {
            let at = link.parsed;
            outcome = self.frame(&mut link, opcode, &payload, at, truths);
            link.unparsed.drain(..length);
            link.parsed += length as u64;
            if outcome.is_err() {
                break;
            }
        }
        self.link = Some(link);
        outcome.map_err(|error| format!("client {}: {error}", self.index))
    }

    fn frame(
        &mut self,
        link: &mut Link,
        opcode: u8,
        payload: &[u8],
        at: u64,
        truths: &[TopicTruth],
    ) -> Check {
        if opcode == 8 {
            link.closed = true;
            let code = payload.get(..2).map_or(0, |c| u16::from_be_bytes([c[0], c[1]]));
            return ensure(code == 4008 && link.was_slow, || format!("closed with {code}"));
        }
        if opcode != 1 {
            return Ok(());
        }
        let frame: Value = serde_json::from_slice(payload).map_err(|e| format!("not JSON: {e}"))?;
        let meta = &frame["metadata"];
        match text(&frame["type"], "type")? {
            "connected" => self.connected(&frame["payload"], truths),
            "pong" => {
                link.calm.push(at);
                Ok(())
            }
            "unsubscribed" => {
                let ended = frame["payload"]["topics"].as_array().into_iter().flatten();
                for name in ended.filter_map(Value::as_str) {
                    link.subscriptions.remove(&place(truths, name)?);
                }
                Ok(())
            }
            "subscribed" => {
                let request = text(&meta["reply_to"], "reply_to")?;
                let rows = frame["payload"]["topics"].as_array().cloned().unwrap_or_default();
                rows.iter().try_for_each(|row| self.subscribed(link, request, row, truths))?;
                // Topics that are not in it are in the answer to a later request for them.
                let left: Vec<_> =
                    link.asked.keys().filter(|(id, _)| id == request).map(|(_, topic)| *topic).collect();
                for topic in left {
                    link.asked.remove(&(request.to_owned(), topic));
                    let later = link.asked.keys().any(|(_, asked)| *asked == topic);
                    ensure(later || link.subscriptions.contains_key(&topic), || {
                        format!("left out: {frame}")
                    })?;
                }
                Ok(())
            }
            "lagged" => {
                let topic = place(truths, text(&frame["payload"]["topic"], "topic")?)?;
                *link.told.entry(topic).or_default() += number(&frame["payload"]["dropped"], "dropped")?;
                Ok(())
            }
            "message" | "room_message" => self.messages(link, meta, &[(meta, &frame["payload"])], at, truths),
            "batch" => {
                let items = frame["payload"]["items"].as_array().ok_or("a batch without items")?;
                ensure(meta["count"] == items.len() && meta["first_offset"] == items[0]["offset"], || {
                    format!("the head of a batch: {frame}")
                })?;
                let items: Vec<_> = items.iter().map(|item| (item, &item["payload"])).collect();
                self.messages(link, meta, &items, at, truths)
            }
            other => Err(format!("a frame of type {other}: {frame}")),
        }
    }

    fn subscribed(&mut self, link: &mut Link, request: &str, row: &Value, truths: &[TopicTruth]) -> Check {
        let topic = place(truths, text(&row["topic"], "topic")?)?;
        let truth = &truths[topic];
        let asked =
            link.asked.remove(&(request.to_owned(), topic)).ok_or_else(|| format!("unasked: {row}"))?;
        let (epoch, offset) = (text(&row["epoch"], "epoch")?, number(&row["offset"], "offset")?);
        let recovered = row["recovered"] == true;
        let published = truth.of(epoch)?.len() as u64;
        ensure(offset <= published, || format!("{row}: only {published} were published"))?;
        ensure(recovered || !asked.must_recover, || format!("{row}: could have been recovered"))?;
        let start = match &asked.recover {
            Some((was, start)) if recovered => {
                ensure(was == epoch && *start <= offset, || format!("{row}: recovered from {was} {start}"))?;
                *start
            }
            None if recovered => return Err(format!("{row}: recovered from nothing")),
            _ if truth.sort.latest => 0,
            _ => offset,
        };
        let counted = number(&row["recovered_count"], "recovered_count")?;
        let wanted = truth.wanted(epoch, start, offset, asked.asks)?;
        let right = match (recovered, truth.sort.latest) {
            (true, false) => counted == wanted,
            (true, true) => counted <= wanted,
            (false, _) => counted == 0,
        };
        ensure(right, || format!("{row}: {wanted} were to be recovered"))?;
        let subscription = Subscription {
            asks: asked.asks,
            epoch: epoch.to_owned(),
            start,
            joined_at: offset,
            last: start,
            seen: Vec::new(),
            exact: !link.subscriptions.contains_key(&topic) && !link.gaps.contains_key(&topic),
        };
        link.gaps.entry(topic).or_default();
        link.subscriptions.insert(topic, subscription);
        if !truth.sort.latest && !recovered {
            self.last.insert(topic, (epoch.to_owned(), offset));
        }
        Ok(())
    }

    fn messages(
        &mut self,
        link: &mut Link,
        meta: &Value,
        items: &[(&Value, &Value)],
        at: u64,
        truths: &[TopicTruth],
    ) -> Check {
        let topic = place(truths, text(&meta["topic"], "topic")?)?;
        let truth = &truths[topic];
        let epoch = text(&meta["epoch"], "epoch")?;
        for (item, payload) in items {
            let offset = number(&item["offset"], "offset")?;
            let what = || format!("{} {epoch} {offset}", truth.name);
            let priority = if item["priority"].is_null() { &meta["priority"] } else { &item["priority"] };
            let message = truth.of(epoch)?.get(offset as usize - 1);
            let message = message.ok_or_else(|| format!("{}: never published", what()))?;
            let key = message.key.map_or(Value::Null, |key| json!(super::truth::KEYS[key]));
            ensure(
                payload["n"] == message.number && item["key"] == key && *priority == message.priority,
                || format!("{}: {message:?} became {item}", what()),
            )?;
            let sub =
                link.subscriptions.get_mut(&topic).ok_or_else(|| format!("{}: not subscribed", what()))?;
            if sub.epoch != epoch {
                ensure(truth.index(epoch)? > truth.index(&sub.epoch)?, || {
                    format!("{}: after its end", what())
                })?;
                *sub = Subscription {
                    epoch: epoch.to_owned(),
                    start: 0,
                    joined_at: 0,
                    last: 0,
                    seen: Vec::new(),
                    exact: false,
                    ..*sub
                };
            }
            ensure(offset > sub.last, || format!("{}: came after {}", what(), sub.last))?;
            ensure(sub.asks.passes(message), || format!("{}: not wanted", what()))?;
            let gaps = link.gaps.entry(topic).or_default();
            if !truth.sort.latest && !sub.asks.conflates() {
                *gaps += truth.wanted(epoch, sub.last, offset - 1, sub.asks)?;
                let told = link.told.get(&topic).copied().unwrap_or_default();
                ensure(*gaps <= told, || format!("{}: {gaps} are missing, {told} were declared", what()))?;
            }
            sub.last = offset;
            sub.seen.push(offset);
            self.last.insert(topic, (epoch.to_owned(), offset));
            let live = offset > sub.joined_at;
            if let Some(Some(mark)) = message.ahead_of.get(self.index).filter(|_| live) {
                let behind = link.calm.iter().find(|calm| *calm >= mark && **calm < at);
                ensure(behind.is_none(), || format!("{}: critical, behind a frame at {behind:?}", what()))?;
            }
        }
        if truth.sort.calm {
            link.calm.push(at);
        }
        Ok(())
    }

    /// Everything is out and read: whatever is missing must have been declared.
    pub(super) fn settle_accounts(&self, truths: &[TopicTruth]) -> Check {
        let Some(link) = self.link.as_ref().filter(|link| !link.closed) else { return Ok(()) };
        if let Some((request, topic)) = link.asked.keys().next() {
            return Err(format!("client {}: {request} for topic {topic} has no answer", self.index));
        }
        for (topic, sub) in &link.subscriptions {
            let truth = &truths[*topic];
            let told = link.told.get(topic).copied().unwrap_or_default();
            let is_current = sub.epoch == truth.epoch();
            let (start, last) = if is_current { (sub.start, sub.last) } else { (0, 0) };
            let what = || format!("client {}: {} from {start}", self.index, truth.name);
            if truth.sort.latest || sub.asks.conflates() {
                let newest = truth.newest(truth.epoch(), start, sub.asks)?;
                let missing: Vec<_> =
                    newest.iter().filter(|offset| !(is_current && sub.seen.contains(offset))).collect();
                ensure(missing.len() as u64 <= told, || format!("{}: {missing:?} never came", what()))?;
                continue;
            }
            let tail = truth.wanted(truth.epoch(), last, truth.life().len() as u64, sub.asks)?;
            let missing = link.gaps.get(topic).copied().unwrap_or_default() + tail;
            let even = if sub.exact && is_current { missing == told } else { missing <= told };
            ensure(even, || {
                format!("{}: {missing} are missing ({tail} at the end), {told} were declared", what())
            })?;
        }
        Ok(())
    }
}

pub(super) fn place(truths: &[TopicTruth], name: &str) -> Result<usize, String> {
    truths.iter().position(|truth| truth.name == name).ok_or_else(|| format!("a message of {name}"))
}

/// The first frame in `bytes`: opcode, payload, length. The hub does not mask.
fn parse(bytes: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let (head, short) = (*bytes.first()?, usize::from(*bytes.get(1)?));
    let (from, length) = match short {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        short => (2, short),
    };
    Some((head & 0x0f, bytes.get(from..from + length)?.to_vec(), from + length))
}
