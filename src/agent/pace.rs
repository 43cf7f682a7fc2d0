//! How fast frames may leave: the hub's `flow` for all of them, and the limit of the replay. Pure.

use super::frames::FlowOrder;

/// A slower order is taken as this one, so that an agent is never silenced for good by one frame.
const RATE_MIN_HZ: f64 = 1.0 / 60.0;
const PAUSE_MAX_MS: u64 = 10 * 60_000;

/// What the hub allows on this connection.
#[derive(Debug, Default)]
pub(super) struct Flow {
    paused_until_ms: u64,
    gap_ms: u64,
    last_sent_ms: Option<u64>,
}

impl Flow {
    /// Takes a new order; it replaces the one before.
    pub(super) fn order(&mut self, now_ms: u64, order: &FlowOrder) {
        self.paused_until_ms = now_ms + order.pause_ms.unwrap_or(0).min(PAUSE_MAX_MS);
        self.gap_ms = match order.max_rate_hz {
            Some(rate_hz) if rate_hz.is_finite() => (1_000.0 / rate_hz.max(RATE_MIN_HZ)).ceil() as u64,
            _ => 0,
        };
    }

    /// The earliest time of the next frame.
    pub(super) fn next_ms(&self) -> u64 {
        let after_the_last = self.last_sent_ms.map_or(0, |sent_ms| sent_ms + self.gap_ms);
        self.paused_until_ms.max(after_the_last)
    }

    /// The earliest time at which a replayed frame leaves the next live one its turn.
    ///
    /// `next_live_ms` is when the next live sample is due. `None` when there is no room between two live ones.
    pub(super) fn next_beside_live_ms(&self, now_ms: u64, next_live_ms: u64) -> Option<u64> {
        let at_ms = self.next_ms().max(now_ms);
        (at_ms + self.gap_ms <= next_live_ms).then_some(at_ms)
    }

    pub(super) fn sent(&mut self, now_ms: u64) {
        self.last_sent_ms = Some(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(max_rate_hz: Option<f64>, pause_ms: Option<u64>) -> Flow {
        let mut flow = Flow::default();
        flow.order(1_000, &FlowOrder { max_rate_hz, pause_ms, reason: String::new() });
        flow
    }

    #[test]
    fn a_rate_keeps_frames_apart_after_the_pause() {
        let mut flow = flow(Some(4.0), Some(2_000));
        assert_eq!(flow.next_ms(), 3_000);
        flow.sent(3_000);
        assert_eq!(flow.next_ms(), 3_250);
    }

    #[test]
    fn no_rate_is_no_limit_and_orders_replace_each_other() {
        let mut flow = flow(Some(0.5), None);
        flow.sent(1_000);
        assert_eq!(flow.next_ms(), 3_000);
        flow.order(1_100, &FlowOrder { max_rate_hz: None, pause_ms: None, reason: String::new() });
        assert_eq!(flow.next_ms(), 1_100);
    }

    #[test]
    fn no_order_silences_for_good() {
        for rate_hz in [0.0, -3.0, 1e-300] {
            let mut flow = flow(Some(rate_hz), Some(u64::MAX));
            assert_eq!(flow.next_ms(), 601_000);
            flow.sent(601_000);
            assert_eq!(flow.next_ms(), 661_000);
        }
        assert_eq!(self::flow(Some(f64::NAN), None).next_ms(), 1_000);
    }

    #[test]
    fn the_replay_leaves_live_samples_their_turn() {
        let mut five_hz = flow(Some(5.0), None);
        five_hz.sent(1_000);
        assert_eq!(five_hz.next_beside_live_ms(1_050, 2_000), Some(1_200));
        assert_eq!(five_hz.next_beside_live_ms(1_801, 2_000), None, "the next live one would have to wait");
        let mut one_hz = flow(Some(1.0), None);
        one_hz.sent(1_000);
        assert_eq!(one_hz.next_beside_live_ms(1_500, 2_000), None);
    }
}
