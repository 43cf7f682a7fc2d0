//! The owner of alerts: the one actor that changes them.
//!
//! Every change is committed with its step before anybody is told of it: whoever asked, and the subscribers of its
//! severity. Changes go to the store in the order in which they happen. When a commit fails the book is read from the
//! store again, whoever waits is told, and every rule tells where its series stand. So does a crash, which loses nothing
//! that was committed.
//!
//! Of several hub nodes one owns alerts (`tenure`); here is how changes are committed, `telling` publishes them.

mod telling;
mod tenure;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::AlertError;
use super::alerts::Shared;
use super::announcing::{Announcement, Announcing};
use super::book::decisions::Decision;
use super::book::{Book, BookError, Change};
use super::entity::Alert;
use super::messages::{ByHand, Kept, OnlyRules, PoliciesChanged, Post, RuleGone, Signals, Stand};
use super::policies::Policies;
use crate::ownership::Fence;
use crate::store::{Reply, StoreError};
use crate::supervision::{Queued, Restart, supervised};
use crate::telemetry::{Cause, Counter};
use crate::topic::Published;

/// Time between looks at what happens without samples, in milliseconds.
const TICK_MS: u64 = 1_000;

/// Time between looks at what waits for a breaker or an overloaded topic, in milliseconds.
const RETRY_MS: u64 = 250;

/// Changes on their way to the store, and who waits for them.
struct Commit {
    /// `None`: nothing is to be written, but what came before is.
    written: Option<Reply<()>>,
    changes: Vec<Change>,
    /// Told behind the changes.
    decisions: Vec<Decision>,
    answer: Answer,
    cause: Cause,
    arrived_us: Option<u64>,
}

enum Answer {
    Nobody,
    Hand(oneshot::Sender<Result<Option<Alert>, AlertError>>, Alert),
    Poster(oneshot::Sender<Result<Kept, AlertError>>, Alert, bool),
}

impl Answer {
    fn refuse(self, error: &AlertError) {
        match self {
            Self::Nobody => {}
            Self::Hand(reply, _) => drop(reply.send(Err(error.clone()))),
            Self::Poster(reply, _, _) => drop(reply.send(Err(error.clone()))),
        }
    }

    /// It is committed. `told`: resolves when subscribers can see it.
    fn grant(self, told: Option<oneshot::Receiver<Option<Published>>>) {
        match self {
            Self::Nobody => {}
            Self::Hand(reply, alert) => drop(reply.send(Ok(Some(alert)))),
            Self::Poster(reply, alert, is_new) => drop(reply.send(Ok(Kept { alert, is_new, told }))),
        }
    }
}

/// The owner of alerts.
pub(super) struct AlertsActor {
    book: Book,
    commits: VecDeque<Commit>,
    is_committing: bool,
    announcing: Announcing,
    is_announcing: bool,
    /// Steps of a former life of the hub are not read yet.
    is_start: bool,
    /// The tenure; `None` while another hub node owns alerts.
    fence: Option<Fence>,
    shared: Arc<Shared>,
}

impl AlertsActor {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            book: Book::new(shared.terms()),
            commits: VecDeque::new(),
            is_committing: false,
            announcing: Announcing::behind(),
            is_announcing: false,
            is_start: true,
            fence: None,
            shared,
        }
    }

    /// Sends changes to the store. Whoever waits is answered when they are committed.
    fn commit(
        &mut self,
        mut changes: Vec<Change>,
        answer: Answer,
        cause: &Cause,
        arrived_us: Option<u64>,
        ctx: &mut Context<Self>,
    ) {
        let now_ms = self.shared.args.clock.unix_ms();
        let decisions =
            if self.book.has_due(now_ms) { self.book.decide(now_ms, &mut changes) } else { Vec::new() };
        if changes.is_empty() && decisions.is_empty() && matches!(answer, Answer::Nobody) {
            return;
        }
        let records: Vec<_> =
            changes.iter().map(|change| change.alert.to_change(change.transition.as_ref())).collect();
        self.announcing.expect(&changes);
        // What is only told is told by the owner alone: without a change the fence is asked.
        let is_asked = !decisions.is_empty() && self.fence != Some(Fence::Alone);
        let written = (!records.is_empty() || is_asked).then(|| self.store().write_alerts(records));
        let cause = cause.clone();
        self.commits.push_back(Commit { written, changes, decisions, answer, cause, arrived_us });
        self.go_on(ctx);
    }

    /// Waits for the oldest commit, unless somebody does.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        if self.is_committing {
            return;
        }
        let Some(mut commit) = self.commits.pop_front() else { return };
        self.is_committing = true;
        let written = commit.written.take();
        let wait = async move {
            match written {
                Some(written) => (written.await, commit),
                None => (Ok(()), commit),
            }
        };
        let fence = self.fence;
        ctx.spawn(wait.into_actor(self).map(move |(written, commit), actor, ctx| {
            if actor.fence != fence {
                return match written {
                    // The next owner tells of it.
                    Ok(()) => commit.answer.grant(None),
                    Err(_refused) => commit.answer.refuse(&AlertError::NotOwner),
                };
            }
            actor.is_committing = false;
            match written {
                Ok(()) => actor.committed(commit, ctx),
                Err(error) => actor.failed(commit, &error, ctx),
            }
            actor.go_on(ctx);
        }));
    }

    fn committed(&mut self, commit: Commit, ctx: &mut Context<Self>) {
        let Commit { written: _, changes, decisions, answer, cause, arrived_us } = commit;
        let told = changes.iter().filter(|change| change.is_told);
        let mut announcements: Vec<_> =
            told.filter_map(|change| Announcement::of_change(change, &cause, arrived_us)).collect();
        for transition in changes.iter().filter_map(|change| change.transition.as_ref()) {
            Counter::AlertTransitions.add_for(transition.to.as_str(), 1);
        }
        let is_awaited = matches!(answer, Answer::Poster(..));
        let told = is_awaited.then(|| announcements.pop()).flatten().map(|announcement| {
            let (waiter, told) = oneshot::channel();
            announcements.push(announcement.awaited_by(waiter));
            told
        });
        answer.grant(told);
        announcements.extend(decisions.iter().filter_map(Announcement::of_decision));
        announcements.into_iter().for_each(|announcement| self.announcing.push(announcement));
        self.announce(ctx);
        self.tell_figures();
    }

    /// What is in memory is ahead of the store: the book begins anew, unless it is another's by now.
    fn failed(&mut self, commit: Commit, error: &StoreError, ctx: &mut Context<Self>) {
        if *error == StoreError::Fenced {
            self.end();
            return commit.answer.refuse(&AlertError::NotOwner);
        }
        tracing::warn!(%error, "changes of alerts not committed; the book is read again");
        let failed = std::mem::take(&mut self.commits);
        self.announcing.lose_track();
        for commit in std::iter::once(commit).chain(failed) {
            commit.answer.refuse(&AlertError::Store(error.clone()));
        }
        if let Some(fence) = self.fence {
            self.read(fence, ctx);
        }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        if self.fence.is_none() {
            return;
        }
        let now_ms = self.shared.args.clock.unix_ms();
        let mut changes = Vec::new();
        self.book.tick(now_ms, &mut changes);
        self.commit(changes, Answer::Nobody, &Cause::own(), None, ctx);
        self.announce(ctx);
    }
}

impl Restart for AlertsActor {
    const KIND: &'static str = "alerts";

    fn fresh(&self) -> Self {
        Self::new(self.shared.clone())
    }
}

supervised!(AlertsActor);

impl Actor for AlertsActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.follow(ctx);
        ctx.run_interval(Duration::from_millis(TICK_MS), Self::tick);
        ctx.run_interval(Duration::from_millis(RETRY_MS), Self::announce);
    }
}

impl Handler<Queued<Signals>> for AlertsActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Signals>, ctx: &mut Self::Context) {
        let Signals { fence, signals, arrived_us } = queued.msg;
        if self.fence != Some(fence) {
            return;
        }
        let now_ms = self.shared.args.clock.unix_ms();
        let mut changes = Vec::new();
        for signal in signals {
            if !self.book.signal(signal, now_ms, &mut changes) {
                Counter::AlertsTurnedAway.add(1);
            }
        }
        self.commit(changes, Answer::Nobody, &queued.cause, arrived_us, ctx);
    }
}

impl Handler<Queued<Stand>> for AlertsActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Stand>, _ctx: &mut Self::Context) {
        let Stand { fence, origin, resume, reply } = queued.msg;
        if self.fence != Some(fence) {
            return;
        }
        self.shared.register(&origin.rule_id, resume);
        drop(reply.send(self.book.of_rule(&origin)));
    }
}

impl Handler<Queued<RuleGone>> for AlertsActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<RuleGone>, ctx: &mut Self::Context) {
        if self.fence.is_none() {
            return;
        }
        let RuleGone { rule_id, reason } = queued.msg;
        self.shared.forget(&rule_id);
        let mut changes = Vec::new();
        self.book.rule_gone(&rule_id, &reason, self.shared.args.clock.unix_ms(), &mut changes);
        self.commit(changes, Answer::Nobody, &queued.cause, None, ctx);
    }
}

impl Handler<Queued<OnlyRules>> for AlertsActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<OnlyRules>, ctx: &mut Self::Context) {
        let OnlyRules { fence, rules } = queued.msg;
        if self.fence != Some(fence) {
            return;
        }
        let mut changes = Vec::new();
        self.book.only_rules(&rules, self.shared.args.clock.unix_ms(), &mut changes);
        self.commit(changes, Answer::Nobody, &queued.cause, None, ctx);
    }
}

impl Handler<Queued<ByHand>> for AlertsActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<ByHand>, ctx: &mut Self::Context) {
        let ByHand { id, event, reply } = queued.msg;
        if self.fence.is_none() {
            return drop(reply.send(Err(AlertError::NotOwner)));
        }
        let mut changes = Vec::new();
        match self.book.by_hand(&id, event, self.shared.args.clock.unix_ms(), &mut changes) {
            Ok(alert) => self.commit(changes, Answer::Hand(reply, alert), &queued.cause, None, ctx),
            Err(BookError::NotOpen) => drop(reply.send(Ok(None))),
            Err(BookError::Refused(refused)) => drop(reply.send(Err(refused.into()))),
        }
    }
}

impl Handler<Queued<Post>> for AlertsActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Post>, ctx: &mut Self::Context) {
        let Post { posted, by, reply } = queued.msg;
        if self.fence.is_none() {
            return drop(reply.send(Err(AlertError::NotOwner)));
        }
        let mut changes = Vec::new();
        let taken = self.book.post(posted, &by, self.shared.args.clock.unix_ms(), &mut changes);
        let Some((alert, is_new)) = taken else {
            let open_max = self.shared.args.settings.open_max;
            return drop(reply.send(Err(AlertError::TooMany { open_max })));
        };
        self.commit(changes, Answer::Poster(reply, alert, is_new), &queued.cause, None, ctx);
    }
}

impl Handler<Queued<PoliciesChanged>> for AlertsActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<PoliciesChanged>, ctx: &mut Self::Context) {
        let reply = queued.msg.reply;
        if self.fence.is_none() {
            return drop(reply.send(Err(AlertError::NotOwner)));
        }
        let store = self.shared.args.store.clone();
        let read = async move { Policies::read(&store).await };
        // Nothing is decided by what is not in force any more.
        ctx.wait(read.into_actor(self).map(|read, actor, ctx| {
            let read = read.map(|policies| {
                let mut changes = Vec::new();
                actor.book.lay_down(policies, actor.shared.args.clock.unix_ms(), &mut changes);
                actor.commit(changes, Answer::Nobody, &Cause::own(), None, ctx);
            });
            drop(reply.send(read.map_err(AlertError::Store)));
        }));
    }
}
