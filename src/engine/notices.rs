//! Notices between hub nodes: short words that are heard at once or not at all.
//!
//! Whoever hears must be able to do without: it is told when it may have missed some, and looks for itself then. Notices
//! of one node may come in another order than they were given.

use bb8_redis::redis::pipe;

use super::EngineError;
use super::carrier::Carrier;

const CHANNELS: &str = "infrawatch:notices:";

/// What a hearer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice<'a> {
    /// Another node said this.
    Said(&'a str),
    /// Some may not have come.
    Missed,
}

/// Takes notices; called on the thread of the line to Redis, and must not block.
pub type Hearer = Box<dyn Fn(Notice<'_>) + Send + Sync>;

impl Carrier {
    /// Hears the notices of a kind that other nodes give. One hearer a kind, known before the line to Redis is begun.
    pub fn hear(&self, kind: &'static str, hearer: Hearer) {
        self.0.hearers.write().insert(kind, hearer);
    }

    /// Gives a notice to the other nodes.
    pub async fn notify(&self, kind: &'static str, text: &str) -> Result<(), EngineError> {
        let said = format!("{}\n{text}", self.0.instance);
        self.0.redis.ask(pipe().cmd("PUBLISH").arg(channel(kind)).arg(said).ignore()).await
    }

    /// Gives a notice to one node; false when it is not there.
    pub async fn notify_node(
        &self,
        instance: &str,
        kind: &'static str,
        text: &str,
    ) -> Result<bool, EngineError> {
        let (channel, said) = (channel_of(instance, kind), format!("{}\n{text}", self.0.instance));
        let (heard,): (u64,) = self.0.redis.ask(pipe().cmd("PUBLISH").arg(channel).arg(said)).await?;
        Ok(heard > 0)
    }

    /// Channels of what is heard here.
    pub(super) fn notice_channels(&self) -> Vec<String> {
        let hearers = self.0.hearers.read();
        hearers.keys().flat_map(|kind| [channel(kind), channel_of(&self.0.instance, kind)]).collect()
    }

    /// Whether what came on a channel was a notice.
    pub(super) fn noticed(&self, of_channel: &str, text: &str) -> bool {
        let Some(kind) = of_channel.strip_prefix(CHANNELS) else { return false };
        let (kind, _to) = kind.split_once('@').unwrap_or((kind, ""));
        if let (Some(hearer), Some((instance, said))) =
            (self.0.hearers.read().get(kind), text.split_once('\n'))
            && instance != self.0.instance
        {
            hearer(Notice::Said(said));
        }
        true
    }

    /// Notices may not have come.
    pub(super) fn notices_missed(&self) {
        for hearer in self.0.hearers.read().values() {
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
    fn node(url: &str) -> (Carrier, mpsc::UnboundedReceiver<String>, tokio::task::JoinHandle<()>) {
        let settings = EngineSection { call_ms_max: 500, ..EngineSection::default() };
        let carrier = Carrier::new(Redis::new(url, &settings).unwrap(), settings, Clock::system());
        let (tell, told) = mpsc::unbounded_channel();
        carrier.hear(
            "words",
            Box::new(move |notice| {
                let text = match notice {
                    Notice::Said(text) => text.to_owned(),
                    Notice::Missed => "missed".to_owned(),
                };
                // The test may be over.
                drop(tell.send(text));
            }),
        );
        let line = carrier.clone();
        (carrier, told, tokio::spawn(async move { line.run().await }))
    }

    async fn next(told: &mut mpsc::UnboundedReceiver<String>) -> String {
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
        one.notify("words", "of\ntwo lines").await.unwrap();
        one.notify("nobody-hears", "x").await.unwrap();
        other.notify("words", "back").await.unwrap();
        assert_eq!(next(&mut told_other).await, "of\ntwo lines");
        assert_eq!(next(&mut told_one).await, "back", "nobody hears itself");
        assert!(one.notify_node(other.instance(), "words", "for you").await.unwrap());
        assert_eq!(next(&mut told_other).await, "for you");
        assert!(!one.notify_node("nobody", "words", "x").await.unwrap());
        server.kill();
        assert!(one.notify("words", "lost").await.unwrap_err().is_outage());
        server.resume();
        assert_eq!(next(&mut told_other).await, "missed");
        line_one.abort();
        line_other.abort();
    }
}
