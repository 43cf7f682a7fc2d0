//! When the actor owns alerts: what it reads when that begins, and what it leaves when it ends.
//!
//! While another hub node owns them there is no book; who asks is told so, and what rules of an ended tenure say is
//! ignored. What was on its way to the store at the end was committed before the next owner read it, or is refused by
//! the fence.

use std::time::Duration;

use actix::prelude::*;

use super::super::AlertError;
use super::super::announcing::Announcing;
use super::super::book::Book;
use super::super::recalling::{Recalled, recall};
use super::{AlertsActor, Answer};
use crate::ownership::{Fence, Unit};
use crate::store::Store;
use crate::telemetry::Cause;

/// Time before an unreachable store is asked again, in milliseconds.
const READ_RETRY_MS: u64 = 500;

/// Alerts that ended so long before a tenure are not opened again by samples that come again, in milliseconds.
const OVER_MS: u64 = 600_000;

impl AlertsActor {
    /// Follows who owns alerts, from now on.
    pub(super) fn follow(&mut self, ctx: &mut Context<Self>) {
        let mut changes = self.shared.args.ownership.changes(Unit::Alerts);
        self.look(ctx);
        let follow = async move { changes.changed().await.is_ok().then_some(changes) };
        ctx.spawn(follow.into_actor(self).map(|changed, actor, ctx| {
            // Without anybody who could change it, it stays as it is.
            if changed.is_some() {
                actor.follow(ctx);
            }
        }));
    }

    /// Does what follows from who owns alerts now.
    fn look(&mut self, ctx: &mut Context<Self>) {
        let (held, served) = (self.shared.args.ownership.held(Unit::Alerts), *self.shared.duty.borrow());
        if self.fence.is_some() && self.fence == held {
            return;
        }
        if served.is_some() && served != held {
            self.end();
        }
        if let Some(fence) = held {
            tracing::info!(?fence, "owner of alerts");
            self.fence = held;
            self.shared.duty.send_replace(held);
            self.read(fence, ctx);
        }
    }

    /// Reads the book from the store; messages wait meanwhile.
    pub(super) fn read(&mut self, fence: Fence, ctx: &mut Context<Self>) {
        let shared = self.shared.clone();
        let read = async move {
            let repeat_ms = shared.args.settings.repeat_interval_ms;
            let now_ms = shared.args.clock.unix_ms();
            let since_ms = now_ms.saturating_sub(repeat_ms);
            // Samples that the former owner had evaluated come again.
            let over_since_ms = (fence != Fence::Alone).then(|| now_ms.saturating_sub(OVER_MS));
            while shared.args.ownership.held(Unit::Alerts) == Some(fence) {
                match recall(&shared.args.store, since_ms, over_since_ms).await {
                    Ok(read) => return Some(read),
                    Err(error) => tracing::warn!(%error, "alerts not read from the store; tried again"),
                }
                tokio::time::sleep(Duration::from_millis(READ_RETRY_MS)).await;
            }
            None
        };
        ctx.wait(read.into_actor(self).map(|read, actor, ctx| match read {
            Some(read) => actor.begin(read, ctx),
            None => actor.look(ctx),
        }));
    }

    fn begin(&mut self, recalled: Recalled, ctx: &mut Context<Self>) {
        let Recalled { open, closed, over, policies } = recalled;
        let now_ms = self.shared.args.clock.unix_ms();
        self.book = Book::new(self.shared.terms());
        open.into_iter().for_each(|alert| self.book.resume(alert));
        closed.into_iter().for_each(|alert| self.book.resume_closed(alert));
        self.book.resume_over(over, now_ms);
        let mut changes = Vec::new();
        self.book.lay_down(policies, now_ms, &mut changes);
        self.commit(changes, Answer::Nobody, &Cause::own(), None, ctx);
        self.shared.resume_rules();
        self.tell_figures();
        self.announce(ctx);
    }

    /// The store for what belongs to alerts, as long as they are owned here.
    pub(super) fn store(&self) -> Store {
        self.fence.unwrap_or(Fence::Alone).guard(&self.shared.args.store, Unit::Alerts)
    }

    /// Alerts are another's from now on.
    pub(super) fn end(&mut self) {
        tracing::info!("owner of alerts no more");
        self.fence = None;
        self.shared.duty.send_replace(None);
        self.shared.forget_all();
        self.book = Book::new(self.shared.terms());
        self.announcing = Announcing::behind();
        (self.is_committing, self.is_announcing, self.is_start) = (false, false, true);
        for commit in std::mem::take(&mut self.commits) {
            commit.answer.refuse(&AlertError::NotOwner);
        }
        self.tell_figures();
    }
}
