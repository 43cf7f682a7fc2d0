//! How much happens on a topic: messages and bytes a second over the last ten seconds. Pure.

/// Slices of a second each.
const SLICES: usize = 10;

/// The last ten seconds of a topic. Times are monotonic milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pulse {
    messages: [u32; SLICES],
    bytes: [u64; SLICES],
    /// The newest second.
    newest_s: u64,
}

/// What happens a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PerSecond {
    /// Messages taken in.
    pub messages: f64,
    /// Bytes of their frames.
    pub bytes: f64,
}

impl Pulse {
    /// A message was taken in.
    pub fn note(&mut self, now_ms: u64, bytes: usize) {
        self.slide(now_ms);
        let slice = (self.newest_s % SLICES as u64) as usize;
        self.messages[slice] = self.messages[slice].saturating_add(1);
        self.bytes[slice] = self.bytes[slice].saturating_add(bytes as u64);
    }

    /// The mean of the last ten seconds.
    pub fn per_second(&self, now_ms: u64) -> PerSecond {
        let mut now = *self;
        now.slide(now_ms);
        let mean = |sum: f64| (sum / SLICES as f64 * 10.0).round() / 10.0;
        PerSecond {
            messages: mean(now.messages.iter().map(|n| f64::from(*n)).sum()),
            bytes: mean(now.bytes.iter().sum::<u64>() as f64),
        }
    }

    fn slide(&mut self, now_ms: u64) {
        let second = (now_ms / 1_000).max(self.newest_s);
        for passed in 1..=(second - self.newest_s).min(SLICES as u64) {
            let slice = ((self.newest_s + passed) % SLICES as u64) as usize;
            (self.messages[slice], self.bytes[slice]) = (0, 0);
        }
        self.newest_s = second;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_the_mean_of_the_last_ten_seconds() {
        let mut pulse = Pulse::default();
        for n in 0..100 {
            pulse.note(100_000 + n * 100, 50);
        }
        assert_eq!(pulse.per_second(109_900), PerSecond { messages: 10.0, bytes: 500.0 });
        assert_eq!(pulse.per_second(114_000).messages, 5.0);
        assert_eq!(pulse.per_second(120_000), PerSecond::default());
        pulse.note(500_000, 10);
        assert_eq!(pulse.per_second(500_000), PerSecond { messages: 0.1, bytes: 1.0 });
    }
}
