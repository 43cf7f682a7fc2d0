//! Notices between hub nodes: short words that are heard at once or not at all.
//!
//! Whoever hears must be able to do without: it is told when it may have missed some, and looks for itself then.

use std::collections::HashMap;

use bb8_redis::redis::pipe;
use parking_lot::RwLock;
use tokio::sync::{Mutex, mpsc};

use super::EngineError;
use super::carrier::Carrier;

/// All have one slot, so that many go in one round trip.
const CHANNELS: &str = "infrawatch:{notices}:";

/// Notices that wait to be given; further ones are not.
const WAITING_MAX: usize = 8_192;

/// Notices in one round trip.
const AT_ONCE: usize = 256;

/// What a hearer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice<'a> {
    /// Another node said this.
    Said(&'a str),
    /// Some may not have come.
    Missed,
}

/// Who hears what, and what is to be said.
pub(super) struct Notices {
    hearers: RwLock<HashMap<&'static str, Hearer>>,
    says: mpsc::Sender<(&'static str, String)>,
    said: Mutex<mpsc::Receiver<(&'static str, String)>>,
}

impl Default for Notices {
    fn default() -> Self {
        let (says, said) = mpsc::channel(WAITING_MAX);
        Self { hearers: RwLock::default(), says, said: Mutex::new(said) }
    }
}

/// Takes notices; called on the thread of the line to Redis, and must not block.
pub type Hearer = Box<dyn Fn(Notice<'_>) + Send + Sync>;

impl Carrier {
    /// Hears the notices of a kind that other nodes give. One hearer a kind, known before the line to Redis is begun.
    pub fn hear(&self, kind: &'static str, hearer: Hearer) {
        self.0.notices.hearers.write().insert(kind, hearer);
    }

    /// Gives a notice to the other nodes, in the order of the calls. While Redis is gone nobody hears it.
    pub fn say(&self, kind: &'static str, text: String) {
        // More than can wait: as if it had not been heard.
        drop(self.0.notices.says.try_send((kind, text)));
    }

    /// Gives notices as they come, for ever. One caller at a time.
    pub(super) async fn keep_saying(&self) {
        let mut said = self.0.notices.said.lock().await;
        let mut some = Vec::new();
        while said.recv_many(&mut some, AT_ONCE).await > 0 {
            let mut commands = pipe();
            for (kind, text) in some.drain(..) {
                let said = format!("{}\n{text}", self.0.instance);
                commands.cmd(self.0.redis.publishing()).arg(channel(kind)).arg(said).ignore();
            }
            if let Err(error) = self.0.redis.ask::<()>(&commands).await {
                tracing::debug!(%error, "notices not given");
            }
        }
    }

    /// Gives a notice to one node; false when it is not there.
    pub async fn notify_node(
        &self,
        instance: &str,
        kind: &'static str,
        text: &str,
    ) -> Result<bool, EngineError> {
        let (channel, said) = (channel_of(instance, kind), format!("{}\n{text}", self.0.instance));
        let (heard,): (u64,) =
            self.0.redis.ask(pipe().cmd(self.0.redis.publishing()).arg(channel).arg(said)).await?;
        Ok(heard > 0)
    }

    /// Channels of what is heard here.
    pub(super) fn notice_channels(&self) -> Vec<String> {
        let hearers = self.0.notices.hearers.read();
        hearers.keys().flat_map(|kind| [channel(kind), channel_of(&self.0.instance, kind)]).collect()
    }

    /// Whether what came on a channel was a notice.
    pub(super) fn noticed(&self, of_channel: &str, text: &str) -> bool {
        let Some(kind) = of_channel.strip_prefix(CHANNELS) else { return false };
        let (kind, _to) = kind.split_once('@').unwrap_or((kind, ""));
        if let (Some(hearer), Some((instance, said))) =
            (self.0.notices.hearers.read().get(kind), text.split_once('\n'))
            && instance != self.0.instance
        {
            hearer(Notice::Said(said));
        }
        true
    }

    /// Notices may not have come.
    pub(super) fn notices_missed(&self) {
        for hearer in self.0.notices.hearers.read().values() {
            hearer(Notice::Missed);
        }
    }
}

fn channel(kind: &str) -> String {
    format!("{CHANNELS}{kind}")
}

fn channel_of(instance: &str, kind: &str) -> String {
    format!("{CHANNELS}{kind}@{instance}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;
    use crate::clock::Clock;
    use crate::config::EngineSection;
    use crate::engine::Redis;

    /// A node that hears `words`, on a line of its own.
    fn node(url: &str) -> (Carrier, mpsc::Receiver<String>, tokio::task::JoinHandle<()>) {
        let settings = EngineSection { call_ms_max: 500, ..EngineSection::default() };
        let carrier = Carrier::new(Redis::new(url, &settings).unwrap(), settings, Clock::system());
        let (tell, told) = mpsc::channel(64);
        carrier.hear(
            "words",
            Box::new(move |notice| {
                let text = match notice {
                    Notice::Said(text) => text.to_owned(),
                    Notice::Missed => "missed".to_owned(),
                };
                // The test may be over.
                drop(tell.try_send(text));
            }),
        );
        let line = carrier.clone();
        (carrier, told, tokio::spawn(async move { line.run().await }))
    }

    async fn next(told: &mut mpsc::Receiver<String>) -> String {
        tokio::time::timeout(Duration::from_secs(10), told.recv()).await.expect("a notice").expect("a node")
    }

    #[tokio::test]
    async fn the_others_hear_what_one_says_and_know_when_they_may_have_missed_some() {
        let mut server = infrawatch_servers::Redis::start();
        let (one, mut told_one, line_one) = node(&server.url());
        let (other, mut told_other, line_other) = node(&server.url());
        assert_eq!(
            (next(&mut told_one).await, next(&mut told_other).await),
            ("missed".into(), "missed".into())
        );
        one.say("words", "of\ntwo lines".to_owned());
        one.say("nobody-hears", "x".to_owned());
        one.say("words", "next".to_owned());
        other.say("words", "back".to_owned());
        assert_eq!(next(&mut told_other).await, "of\ntwo lines");
        assert_eq!(next(&mut told_other).await, "next");
        assert_eq!(next(&mut told_one).await, "back", "nobody hears itself");
        assert!(one.notify_node(other.instance(), "words", "for you").await.unwrap());
        assert_eq!(next(&mut told_other).await, "for you");
        assert!(!one.notify_node("nobody", "words", "x").await.unwrap());
        server.kill();
        assert!(one.notify_node(other.instance(), "words", "lost").await.unwrap_err().is_outage());
        server.resume();
        assert_eq!(next(&mut told_other).await, "missed");
        line_one.abort();
        line_other.abort();
    }
}
