//! The actor that delivers to webhooks.
//!
//! Owns nothing that a restart could lose: events wait in mailboxes, and those under way come again when their leases are
//! over. A request blocks a thread; each webhook has a bounded number of them.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::verdict::{Answer, Verdict, judge};
use super::{Hook, Webhooks};
use crate::mailbox::{Depth, Leased, MailboxError, WEBHOOKS, memory};
use crate::supervision::{Restart, supervised};

/// Requests of one webhook under way.
const UNDER_WAY_MAX: usize = 4;

/// Time between looks for events whose pause is over, in milliseconds; new ones are taken at once.
const TICK_MS: u64 = 250;

/// Time between looks at the depths of the mailboxes, in milliseconds.
const DEPTH_INTERVAL_MS: u64 = 1_000;

/// Delivers to all webhooks.
pub struct WebhooksActor {
    webhooks: Webhooks,
    lines: Vec<Line>,
    measuring: bool,
}

/// What is under way to one webhook.
#[derive(Debug, Default)]
struct Line {
    requests: usize,
    /// Its mailbox is being asked.
    asking: bool,
    /// Something came meanwhile.
    again: bool,
    /// The mailbox did not answer the last time.
    is_gone: bool,
}

impl WebhooksActor {
    /// The actor of these webhooks.
    pub fn new(webhooks: Webhooks) -> Self {
        let lines = webhooks.hooks().iter().map(|_| Line::default()).collect();
        Self { webhooks, lines, measuring: false }
    }

    fn ask_all(&mut self, ctx: &mut Context<Self>) {
        for at in 0..self.lines.len() {
            self.ask(at, ctx);
        }
    }

    /// Takes what may be sent to one webhook.
    fn ask(&mut self, at: usize, ctx: &mut Context<Self>) {
        let (Some(line), Some(hook)) = (self.lines.get_mut(at), self.webhooks.hooks().get(at)) else {
            return;
        };
        if std::mem::replace(&mut line.asking, true) {
            line.again = true;
            return;
        }
        line.again = false;
        let (hook, room) = (hook.clone(), UNDER_WAY_MAX - line.requests);
        let taken = async move { hook.take(room).await };
        ctx.spawn(taken.into_actor(self).map(move |taken, actor, ctx| actor.taken(at, taken, ctx)));
    }

    fn taken(&mut self, at: usize, taken: Result<Vec<Leased>, MailboxError>, ctx: &mut Context<Self>) {
        let (Some(line), Some(hook)) = (self.lines.get_mut(at), self.webhooks.hooks().get(at)) else {
            return;
        };
        line.asking = false;
        let was_gone = std::mem::replace(&mut line.is_gone, taken.is_err());
        let taken = taken.unwrap_or_else(|error| {
            if !was_gone {
                tracing::warn!(url = hook.url(), %error, "the mailbox of a webhook does not answer");
            }
            Vec::new()
        });
        line.requests += taken.len();
        for leased in taken {
            let delivered = deliver(hook.clone(), leased);
            ctx.spawn(delivered.into_actor(self).map(move |(), actor, ctx| {
                if let Some(line) = actor.lines.get_mut(at) {
                    line.requests -= 1;
                }
                actor.ask(at, ctx);
            }));
        }
        if self.lines.get(at).is_some_and(|line| line.again) {
            self.ask(at, ctx);
        }
    }

    /// Takes new events as they come.
    fn listen(&mut self, ctx: &mut Context<Self>) {
        let webhooks = self.webhooks.clone();
        let told = async move { webhooks.0.told.notified().await };
        ctx.spawn(told.into_actor(self).map(|(), actor, ctx| {
            actor.ask_all(ctx);
            actor.listen(ctx);
        }));
    }

    fn measure(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.measuring, true) {
            return;
        }
        let webhooks = self.webhooks.clone();
        let measured = async move { measure(&webhooks).await };
        ctx.spawn(measured.into_actor(self).map(|(), actor, _ctx| actor.measuring = false));
    }
}

async fn deliver(hook: Arc<Hook>, leased: Leased) {
    let attempt = leased.deliveries;
    let answer = request(hook.clone(), leased.clone()).await;
    let verdict: Verdict = judge(&answer, attempt, rand::random());
    if let Err(error) = hook.settle(leased, verdict).await {
        // Its lease runs out, then it is sent again.
        tracing::warn!(url = hook.url(), %error, "what became of a webhook was not noted");
    }
}

/// Sends on a thread that nobody waits for: a runtime would wait for one of its own before it ends, and the hub for that.
async fn request(hook: Arc<Hook>, leased: Leased) -> Answer {
    let (told, answer) = oneshot::channel();
    let send = move || drop(told.send(hook.send(&leased)));
    match thread::Builder::new().name("webhook".to_owned()).spawn(send) {
        Ok(_unattended) => answer.await.unwrap_or_else(|error| Answer::None(error.to_string())),
        Err(error) => Answer::None(error.to_string()),
    }
}

async fn measure(webhooks: &Webhooks) {
    let mut sum = Depth::default();
    for hook in webhooks.hooks() {
        let Ok(depth) = hook.mailbox().depth().await else { continue };
        sum.dead += depth.dead;
        for (sum, waiting) in sum.waiting.iter_mut().zip(depth.waiting) {
            *sum += waiting;
        }
    }
    memory::gauge(&WEBHOOKS, &sum);
}

impl Restart for WebhooksActor {
    const KIND: &'static str = "webhooks";

    fn fresh(&self) -> Self {
        Self::new(self.webhooks.clone())
    }
}

supervised!(WebhooksActor);

impl Actor for WebhooksActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(Duration::from_millis(TICK_MS), Self::ask_all);
        ctx.run_interval(Duration::from_millis(DEPTH_INTERVAL_MS), Self::measure);
        self.listen(ctx);
        self.ask_all(ctx);
    }
}
