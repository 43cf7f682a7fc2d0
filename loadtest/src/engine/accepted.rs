//! Which of the published messages the hub took, and which offset each has. Pure.

/// The numbers of the messages that were refused, and where the topic stood before the first.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    /// Of the topic, before this run published to it.
    base_offset: u64,
    /// In rising order.
    refused: Vec<u32>,
}

impl Accepted {
    pub(crate) fn after(base_offset: u64) -> Self {
        Self { base_offset, refused: Vec::new() }
    }

    pub(crate) fn refuse(&mut self, sequence: u32) {
        let place = self.refused.partition_point(|refused| *refused < sequence);
        if self.refused.get(place) != Some(&sequence) {
            self.refused.insert(place, sequence);
        }
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.len() as u64
    }

    /// How many of the messages from one number to before another were taken.
    pub(crate) fn between(&self, from: u32, until: u32) -> u64 {
        let until = until.max(from);
        let below = |number| self.refused.partition_point(|refused| *refused < number);
        u64::from(until - from) - (below(until) - below(from)) as u64
    }

    /// The number of the first message after an offset.
    pub(crate) fn first_after(&self, offset: u64) -> u32 {
        let mut sequence = u32::try_from(offset.saturating_sub(self.base_offset)).unwrap_or(u32::MAX);
        for refused in &self.refused {
            if *refused > sequence {
                break;
            }
            sequence += 1;
        }
        sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_message_is_due_to_nobody_and_takes_no_offset() {
        let mut accepted = Accepted::after(10);
        assert_eq!((accepted.first_after(10), accepted.first_after(13), accepted.first_after(3)), (0, 3, 0));
        for sequence in [4, 1, 4, 5] {
            accepted.refuse(sequence);
        }
        assert_eq!((accepted.refused(), accepted.between(0, 8), accepted.between(1, 5)), (3, 5, 2));
        assert_eq!(accepted.between(5, 2), 0);
        // Offsets 11, 12, 13, 14 are the messages 0, 2, 3, 6.
        let firsts: Vec<u32> = (10..15).map(|offset| accepted.first_after(offset)).collect();
        assert_eq!(firsts, [0, 2, 3, 6, 7]);
    }
}
