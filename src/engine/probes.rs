//! Probes: messages to oneself, one for each server that messages go through, so that none of them can go unnoticed.

use bb8_redis::redis::cluster_routing::Slot;
use parking_lot::Mutex;

use super::masters::Slots;

/// A channel of each server, and when a probe came back on it, monotonic milliseconds.
#[derive(Debug)]
pub(super) struct Probes(Mutex<Vec<(String, u64)>>);

impl Probes {
    /// Probes of one server, heard right now.
    pub(super) fn new(channels: Vec<String>, now_ms: u64) -> Self {
        Self(Mutex::new(channels.into_iter().map(|channel| (channel, now_ms)).collect()))
    }

    /// The servers are others. Who is new has been silent as long as the most silent one: to come anew is no sign of life.
    pub(super) fn renew(&self, channels: Vec<String>) {
        let silent_since_ms = self.silent_since_ms();
        let mut probes = self.0.lock();
        *probes = channels
            .into_iter()
            .map(|channel| {
                let known = probes.iter().find(|(known, _)| *known == channel);
                let heard_ms = known.map_or(silent_since_ms, |(_, heard_ms)| *heard_ms);
                (channel, heard_ms)
            })
            .collect();
    }

    /// Channels to send a probe on.
    pub(super) fn channels(&self) -> Vec<String> {
        self.0.lock().iter().map(|(channel, _)| channel.clone()).collect()
    }

    /// Something came on a channel; whether it was a probe.
    pub(super) fn heard(&self, on: &str, now_ms: u64) -> bool {
        let mut probes = self.0.lock();
        let probe = probes.iter_mut().find(|(channel, _)| channel == on);
        probe.map(|(_, heard_ms)| *heard_ms = now_ms).is_some()
    }

    /// When the most silent server was heard.
    pub(super) fn silent_since_ms(&self) -> u64 {
        self.0.lock().iter().map(|(_, heard_ms)| *heard_ms).min().unwrap_or(0)
    }
}

/// A channel of this instance in each of these ranges of slots; without any, one.
pub(super) fn channels(instance: &str, ranges: &[Slots]) -> Vec<String> {
    let channel = |n: u32| format!("infrawatch:{{probe:{instance}:{n}}}");
    if ranges.is_empty() {
        return vec![channel(0)];
    }
    let is_in = |channel: &String, (first, last): &Slots| {
        let slot = Slot::for_key(channel);
        (*first..=*last).any(|number| Slot::new(number) == Some(slot))
    };
    let find = |slots: &Slots| (0..).map(channel).find(|channel| is_in(channel, slots));
    ranges.iter().filter_map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_range_of_slots_has_a_channel_of_its_own() {
        let ranges = [(0, 5_460), (5_461, 10_922), (10_923, 16_382), (16_383, 16_383)];
        let found = channels("i", &ranges);
        for (channel, (first, last)) in found.iter().zip(ranges) {
            let slot = Slot::for_key(channel);
            assert!((first..=last).any(|number| Slot::new(number) == Some(slot)), "{channel}");
        }
        assert_eq!((found.len(), channels("i", &[]).len()), (4, 1));
    }

    #[test]
    fn the_most_silent_server_counts_and_a_new_one_is_not_taken_for_alive() {
        let probes = Probes::new(vec!["a".into()], 10);
        probes.renew(vec!["a".into(), "b".into()]);
        assert!(probes.heard("a", 50) && !probes.heard("x", 60));
        assert_eq!(probes.silent_since_ms(), 10, "b was never heard");
        assert!(probes.heard("b", 70));
        assert_eq!((probes.silent_since_ms(), probes.channels().len()), (50, 2));
    }
}
