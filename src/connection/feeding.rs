//! The members of topics on this worker: how they join and leave, and feeds on their way into sockets.

use std::cmp::Reverse;
use std::rc::Rc;

use thin_vec::ThinVec;

use super::feed::{Feed, Item};
use super::history::HistoryItem;
use super::hold::Answer;
use super::outbox::Entry;
use super::outgoing::{Outgoing, join};
use super::parcel::Parcel;
use super::seat::Seat;
use super::session::Personal;
use super::shard::Shard;
use super::socket::Sent;
use crate::auth::TopicPattern;
use crate::ids::{RoomName, TopicName};
use crate::protocol::batch::{BatchMeta, batch};
use crate::protocol::codes::{Close, Code};
use crate::protocol::encoding::Format;
use crate::protocol::server::{self, SubscribedTopic};
use crate::room::{Part, Seated};
use crate::telemetry::{Cause, Counter};
use crate::topic::log::Stored;
use crate::topic::outlet::UNASKED;
use crate::topic::{Joined, Member, TopicError, TopicHandle};

/// Bytes of what was missed that go into an outbox at once.
const PAGE_BYTES_MAX: usize = 64 * 1024;

/// The part of an outbox that may wait while what was missed is paged out into it.
const PAGING_SHARE: usize = 8;

/// When a rate lets a feed go on.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FeedDue {
    at_ms: u64,
    slot: u32,
    generation: u32,
    topic: u32,
}

impl Shard {
    /// A topic has added a member: it gets a feed, closed until the answer is out.
    pub(super) fn subscribed(&self, joined: Joined) {
        let Joined { member, request, topic, name, class, position, recovered, missed, history, attachment } =
            joined;
        let Some(seat) = self.seat(member) else {
            return self.forget_interest(&name);
        };
        let topic = topic.number();
        seat.forget_withheld(topic);
        let options = seat.options_of(request, &name);
        let is_member = seat.topics.borrow().iter().any(|(known, _)| known.id().number() == topic);
        if request == UNASKED && is_member {
            // Asked for by name meanwhile, or both by a wildcard and as its own: once is enough.
            return self.forget_interest(&name);
        }
        let topics_max = self.services.settings.topics_max;
        let is_over = seat.topics.borrow().len() >= topics_max && Personal::of(&name).is_none();
        if request == UNASKED && is_over {
            let message =
                format!("a connection may have at most {topics_max} topics; {name} is not one of them");
            seat.error(Code::TooManyTopics, &message, None, self.services.clock.unix_ms());
            return self.forget_interest(&name);
        }
        if self.roster.borrow_mut().join(topic, member.slot) {
            if let Some(handle) = self.handle_of(&name) {
                let mut topics = seat.topics.borrow_mut();
                if topics.is_empty() {
                    // Most connections have one topic.
                    topics.reserve_exact(1);
                }
                topics.push((handle, position.clone()));
            }
        } else {
            // Subscribed again: the topic counts it once more, the roster does not. What waits is of the former
            // subscription, and the answer says where this one begins.
            self.forget_interest(&name);
            seat.feeds.borrow_mut().retain(|feed| feed.topic != topic);
            seat.socket.forget_topic(topic);
            seat.holds.borrow_mut().iter_mut().for_each(|hold| hold.supersede(topic));
        }
        let told = SubscribedTopic {
            topic: name.to_string(),
            class: class.as_str(),
            epoch: position.epoch.clone(),
            offset: position.offset,
            recovered,
            recovered_count: if recovered { missed.len() as u64 } else { 0 },
        };
        seat.feeds.borrow_mut().push(Feed::new(topic, name, position.epoch, options, missed));
        if request == UNASKED {
            seat.answer_unasked(&told, self.services.clock.unix_ms());
            return self.open_feed(&seat, topic);
        }
        if let Some(hold) = seat.holds.borrow_mut().iter_mut().find(|hold| hold.request == request) {
            hold.topics.push((topic, told));
            hold.history.extend(history.iter().map(HistoryItem::of));
            hold.room = attachment.or(hold.room.take());
            hold.remaining -= 1;
        }
        self.finish_holds(&seat);
    }

    pub(super) fn subscribe_failed(&self, member: Member, request: u32, error: &TopicError) {
        let Some(seat) = self.seat(member) else { return };
        let (mut reply_to, mut not_joined) = (None, None);
        if let Some(hold) = seat.holds.borrow_mut().iter_mut().find(|hold| hold.request == request) {
            hold.remaining -= 1;
            reply_to = hold.reply_to.clone();
            if let Answer::RoomJoined { room, newly: true } = &hold.answer {
                not_joined = Some(room.clone());
            }
        }
        seat.error(error.code(), &error.to_string(), reply_to.as_deref(), self.services.clock.unix_ms());
        self.finish_holds(&seat);
        if let Some(room) = not_joined.filter(|room| !seat.joins_again(room)) {
            seat.rooms.borrow_mut().retain(|known| *known != room);
            // It may have crashed with the client in it.
            self.part(&seat, &room, false, &Cause::own());
        }
    }

    /// `lost`: the connection is gone and may come back; else it is to be out of the room now.
    pub(super) fn part(&self, seat: &Seat, room: &RoomName, lost: bool, cause: &Cause) {
        let client_id = seat.identity.borrow().client_id.shared();
        let seated = Seated { worker: self.outlet.index(), member: seat.member };
        let part = Part { client_id, seated, lost };
        if let Err(error) = self.services.rooms.part(room, part, cause) {
            tracing::warn!(%room, %error, "leave not told to the room");
        }
    }

    /// Sends answers whose topics have all answered, then what waited behind them.
    pub(super) fn finish_holds(&self, seat: &Rc<Seat>) {
        let now_ms = self.services.clock.unix_ms();
        loop {
            let Some(at) = seat.holds.borrow().iter().position(|hold| hold.remaining == 0) else { return };
            let hold = seat.take_hold(at);
            if !hold.topics.is_empty() || hold.superseded {
                seat.announce(&server::control(
                    hold.kind(),
                    now_ms,
                    hold.reply_to.as_deref(),
                    &hold.payload(),
                ));
            }
            for (topic, _) in &hold.topics {
                self.open_feed(seat, *topic);
            }
        }
    }

    fn open_feed(&self, seat: &Rc<Seat>, topic: u32) {
        if let Some(feed) = seat.feeds.borrow_mut().iter_mut().find(|feed| feed.topic == topic) {
            feed.open();
        }
        self.pump(seat, topic);
    }

    /// What goes to all members of a topic, for one that has a feed.
    pub(super) fn feed(&self, seat: &Rc<Seat>, topic: u32, outgoing: &[Outgoing]) {
        let bytes_max = seat.socket.outbox_bytes_max();
        for out in outgoing {
            let offered = {
                let mut feeds = seat.feeds.borrow_mut();
                match (feeds.iter_mut().find(|feed| feed.topic == topic), out) {
                    (None, _) => return,
                    (Some(feed), Outgoing::Bundle(bundle)) => {
                        let mut messages = bundle.messages.iter();
                        messages.try_for_each(|message| feed.offer(&bundle.epoch, message, bytes_max))
                    }
                    (Some(feed), Outgoing::Push(frame, priority)) => feed.push(frame, *priority, bytes_max),
                }
            };
            if offered.is_err() {
                return self.end(seat, Close::Slow);
            }
            // One by one: what comes at once may be more than may wait.
            self.move_on(seat, topic);
        }
        self.pump(seat, topic);
    }

    /// Moves what waits in a feed into the socket; a feed that is done by then is no longer needed.
    pub(super) fn pump(&self, seat: &Rc<Seat>, topic: u32) {
        self.move_on(seat, topic);
        let mut feeds = seat.feeds.borrow_mut();
        if let Some(at) = feeds.iter().position(|feed| feed.topic == topic && feed.is_done()) {
            feeds.swap_remove(at);
            if feeds.is_empty() {
                // An idle connection holds no memory for feeds.
                *feeds = ThinVec::new();
            }
            self.roster.borrow_mut().make_plain(topic, seat.member.slot);
        }
    }

    /// As far as the outbox and the rate allow.
    fn move_on(&self, seat: &Rc<Seat>, topic: u32) {
        loop {
            let parcels = {
                let mut feeds = seat.feeds.borrow_mut();
                let Some(feed) = feeds.iter_mut().find(|feed| feed.topic == topic) else { return };
                self.next_parcels(seat, feed)
            };
            if parcels.is_empty() {
                return;
            }
            let messages: u64 = parcels.iter().map(|parcel| u64::from(parcel.entry.messages)).sum();
            Counter::Delivered.add(messages);
            match seat.socket.send(&parcels, &join(&parcels)) {
                Sent::Whole => {}
                Sent::Lost => self.tell_lag(seat),
                over => return self.after(seat, over),
            }
        }
    }

    fn next_parcels(&self, seat: &Seat, feed: &mut Feed) -> Vec<Parcel> {
        let page_bytes = PAGE_BYTES_MAX.min(seat.socket.outbox_bytes_max() / PAGING_SHARE);
        let waiting = seat.socket.outbox_bytes();
        let behind = if feed.conflates() {
            waiting > 0
        } else {
            // What is live goes on to the outbox, whose lanes and bounds then hold.
            feed.is_catching_up()
                && waiting > page_bytes
                && !(feed.is_critical() && self.has_room(seat, page_bytes))
        };
        if behind && feed.waits() {
            seat.feeds_wait.set(true);
            return Vec::new();
        }
        let items = feed.take(page_bytes);
        let mut parcels: Vec<_> =
            items.iter().map(|item| parcel(feed.topic, item, seat.socket.format)).collect();
        let newest = feed.take_newest(self.services.clock.monotonic_ms());
        Counter::Conflated.add_for("subscription", feed.take_conflated());
        if let Some(newest) = self.newest_parcel(feed, &newest, seat.socket.format) {
            parcels.push(newest);
        }
        if let Some(at_ms) = feed.due_ms() {
            let Member { slot, generation } = seat.member;
            self.feed_dues.borrow_mut().push(Reverse(FeedDue { at_ms, slot, generation, topic: feed.topic }));
            self.outlet.wake();
        }
        parcels
    }

    fn has_room(&self, seat: &Seat, page_bytes: usize) -> bool {
        let [critical, ..] = seat.socket.outbox_by_priority();
        critical < page_bytes
    }

    /// The newest values of a feed in one frame of their own.
    fn newest_parcel(&self, feed: &Feed, newest: &[Stored], format: Format) -> Option<Parcel> {
        let (first, priority) = (newest.first()?, newest.iter().map(|message| message.priority).min()?);
        let frame = match newest {
            [only] => only.frame.get(format).clone(),
            several => {
                let unix_ms = self.services.clock.unix_ms();
                let timestamp = crate::clock::rfc3339(unix_ms);
                let meta = BatchMeta {
                    unix_ms,
                    timestamp: &timestamp,
                    topic: &feed.name,
                    epoch: feed.epoch(),
                    priority,
                };
                let items: Vec<_> = several.iter().map(crate::topic::item).collect();
                format.encode(&batch(&meta, &items))
            }
        };
        let messages = u32::try_from(newest.len()).unwrap_or(u32::MAX);
        let entry = Entry { topic: feed.topic, priority, offset: first.offset, messages, key: None, frame };
        Some(Parcel { entry, bundle: None })
    }

    /// The outbox has moved: feeds that waited for it go on.
    pub(super) fn pump_all(&self, seat: &Rc<Seat>) {
        if seat.socket.has_dropped() {
            // An answer has pushed out what is low, and no message came since.
            self.tell_lag(seat);
        }
        if !seat.feeds_wait.replace(false) {
            return;
        }
        let topics: Vec<u32> = seat.feeds.borrow().iter().map(|feed| feed.topic).collect();
        topics.into_iter().for_each(|topic| self.pump(seat, topic));
    }

    /// Feeds whose rate allows a frame now go on. Returns when the next one may, in monotonic milliseconds.
    pub fn pump_due(&self, now_ms: u64) -> Option<u64> {
        loop {
            let due = {
                let mut dues = self.feed_dues.borrow_mut();
                let Reverse(next) = dues.peek()?;
                if next.at_ms > now_ms {
                    return Some(next.at_ms);
                }
                dues.pop()
            };
            let Reverse(FeedDue { slot, generation, topic, .. }) = due?;
            if let Some(seat) = self.seat(Member { slot, generation }) {
                self.pump(&seat, topic);
            }
        }
    }

    fn handle_of(&self, topic: &str) -> Option<TopicHandle> {
        let name = TopicName::parse(topic).ok()?;
        self.services.broker.find(&name)
    }

    fn forget_interest(&self, topic: &str) {
        if let Some(handle) = self.handle_of(topic) {
            self.tell_leave(handle);
        }
    }

    pub(super) fn tell_leave(&self, topic: TopicHandle) {
        if topic.leave(&self.outlet, 1).is_err() && !topic.is_closed() {
            self.untold.borrow_mut().push(topic);
        }
    }

    /// Ends a subscription; false when there was none.
    pub fn unsubscribe(&self, seat: &Seat, name: &str) -> bool {
        let at = seat.topics.borrow().iter().position(|(topic, _)| topic.name().as_str() == name);
        let Some(at) = at else { return false };
        let (topic, _) = seat.topics.borrow_mut().swap_remove(at);
        let number = topic.id().number();
        seat.feeds.borrow_mut().retain(|feed| feed.topic != number);
        seat.socket.forget_topic(number);
        seat.forget_withheld(number);
        self.roster.borrow_mut().leave(number, seat.member.slot);
        self.tell_leave(topic);
        true
    }

    /// Ends a wildcard subscription, and those to the topics that it names; false when there was none.
    pub fn unfollow(&self, seat: &Seat, pattern: &TopicPattern) -> bool {
        let before = seat.wildcards.borrow().len();
        seat.wildcards.borrow_mut().retain(|(known, _)| known != pattern);
        if seat.wildcards.borrow().len() == before {
            return false;
        }
        self.services.broker.unfollow(&self.outlet, seat.member, Some(pattern));
        let topics = seat.topics.borrow();
        let named =
            topics.iter().map(|(topic, _)| topic.name().clone()).filter(|name| pattern.covers(name.as_str()));
        let named: Vec<TopicName> = named.collect();
        drop(topics);
        for name in named {
            self.unsubscribe(seat, name.as_str());
        }
        true
    }
}

fn parcel(topic: u32, item: &Item, format: Format) -> Parcel {
    let messages = u32::from(matches!(item, Item::Message(_)));
    let frame = item.frame().get(format).clone();
    let entry = Entry { topic, priority: item.priority(), offset: item.offset(), messages, key: None, frame };
    Parcel { entry, bundle: None }
}
