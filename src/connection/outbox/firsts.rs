//! The first message of each topic that something became of. Pure.

/// Offsets by topic; what has no offset is not in it.
#[derive(Debug, Default)]
pub(super) struct Firsts(Vec<(u32, u64)>);

impl Firsts {
    /// Something became of the message of `topic` at `offset`.
    pub(super) fn note(&mut self, topic: u32, offset: u64) {
        if offset == 0 {
            return;
        }
        match self.0.iter_mut().find(|(of, _)| *of == topic) {
            Some((_, first)) => *first = offset.min(*first),
            None => self.0.push((topic, offset)),
        }
    }

    pub(super) fn of(&self, topic: u32) -> Option<u64> {
        self.0.iter().find(|(of, _)| *of == topic).map(|(_, offset)| *offset)
    }

    pub(super) fn forget(&mut self, topic: u32) {
        self.0.retain(|(of, _)| *of != topic);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
