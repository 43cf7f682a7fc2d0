//! Where a reader stands in each of its topics, as text: `v1~metrics:*~orders~3f2a~17~nodes~77c0~4`. Pure.
//!
//! A wildcard stands alone: what it names and is not in the cursor opened later. Names and epochs have no `~`, so
//! nothing needs an escape, neither in a query nor in a header.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::auth::TopicPattern;
use crate::ids::TopicName;
use crate::topic::Position;

/// What a cursor begins with.
const VERSION: &str = "v1";

/// Longest epoch that is looked at, in bytes.
const EPOCH_BYTES_MAX: usize = 64;

/// The wildcards that are followed, and a position for each topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    wildcards: Arc<[TopicPattern]>,
    positions: BTreeMap<TopicName, Position>,
}

/// Why a text is no cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CursorError {
    /// Another version, or something else.
    #[error("must begin with {VERSION}~, as an answer gave it")]
    Version,
    /// Not a topic, an epoch and an offset each.
    #[error("must have a topic, an epoch and an offset each, apart by ~; it ends in the middle of one")]
    Incomplete,
    /// A topic's name.
    #[error("{0:?} in it is no topic name")]
    Topic(String),
    /// A wildcard.
    #[error("{0:?} in it is no wildcard")]
    Wildcard(String),
    /// An epoch.
    #[error("{0:?} in it is no epoch")]
    Epoch(String),
    /// An offset.
    #[error("{0:?} in it is no offset")]
    Offset(String),
}

impl Cursor {
    /// Reads what [`fmt::Display`] wrote. Of a topic that is in it twice the later one counts.
    pub(super) fn parse(text: &str) -> Result<Self, CursorError> {
        let mut parts = text.split('~');
        if parts.next() != Some(VERSION) {
            return Err(CursorError::Version);
        }
        let shown = |text: &str| text.chars().take(40).collect::<String>();
        let (mut wildcards, mut positions) = (Vec::new(), BTreeMap::new());
        while let Some(name) = parts.next() {
            if name.contains('*') {
                let wildcard =
                    TopicPattern::parse(name).map_err(|_bad| CursorError::Wildcard(shown(name)))?;
                wildcards.push(wildcard);
                continue;
            }
            let (Some(epoch), Some(offset)) = (parts.next(), parts.next()) else {
                return Err(CursorError::Incomplete);
            };
            let topic = TopicName::parse(name).map_err(|_bad| CursorError::Topic(shown(name)))?;
            let is_epoch = !epoch.is_empty()
                && epoch.len() <= EPOCH_BYTES_MAX
                && epoch.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            if !is_epoch {
                return Err(CursorError::Epoch(shown(epoch)));
            }
            // `parse` would take a sign.
            let number = offset.parse().ok().filter(|_| offset.bytes().all(|byte| byte.is_ascii_digit()));
            let offset = number.ok_or_else(|| CursorError::Offset(shown(offset)))?;
            positions.insert(topic, Position { epoch: epoch.into(), offset });
        }
        Ok(Self { wildcards: wildcards.into(), positions })
    }

    /// In front of everything, with these wildcards.
    pub(super) fn following(wildcards: &[TopicPattern]) -> Self {
        Self { wildcards: wildcards.into(), positions: BTreeMap::new() }
    }

    /// Whether this wildcard was followed when the cursor was made.
    pub(super) fn follows(&self, wildcard: &TopicPattern) -> bool {
        self.wildcards.contains(wildcard)
    }

    /// Where the reader stands in a topic.
    pub(super) fn position(&self, topic: &TopicName) -> Option<&Position> {
        self.positions.get(topic)
    }

    /// The topics in which the reader has a place.
    pub(super) fn topics(&self) -> impl Iterator<Item = &TopicName> {
        self.positions.keys()
    }

    /// The reader stands there now.
    pub(super) fn set(&mut self, topic: TopicName, position: Position) {
        self.positions.insert(topic, position);
    }

    /// The reader stands nowhere in a topic any more.
    pub(super) fn forget(&mut self, topic: &TopicName) {
        self.positions.remove(topic);
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VERSION)?;
        for wildcard in &*self.wildcards {
            write!(f, "~{wildcard}")?;
        }
        for (topic, position) in &self.positions {
            write!(f, "~{topic}~{}~{}", position.epoch, position.offset)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_cursor_says_what_is_wrong() {
        let rows = [
            ("", "must begin with v1~"),
            ("v2~a~e~1", "must begin with v1~"),
            ("v1~", "ends in the middle"),
            ("v1~a", "ends in the middle"),
            ("v1~a~e", "ends in the middle"),
            ("v1~a~e~1~b~e", "ends in the middle"),
            ("v1~a b~e~1", "\"a b\" in it is no topic name"),
            ("v1~a*b", "\"a*b\" in it is no wildcard"),
            ("v1~a:*~e~1", "ends in the middle"),
            ("v1~a~~1", "\"\" in it is no epoch"),
            ("v1~a~e*~1", "\"e*\" in it is no epoch"),
            ("v1~a~e~", "\"\" in it is no offset"),
            ("v1~a~e~-1", "\"-1\" in it is no offset"),
            ("v1~a~e~+1", "\"+1\" in it is no offset"),
            ("v1~a~e~99999999999999999999", "in it is no offset"),
        ];
        for (text, expected) in rows {
            let error = Cursor::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
        assert_eq!(Cursor::parse("v1").unwrap(), Cursor::default());
    }

    proptest! {
        #[test]
        fn it_is_read_as_it_was_written_and_needs_no_escape(
            wildcards in prop::collection::vec("[A-Za-z0-9._:@/-]{0,20}\\*", 0..3),
            rows in prop::collection::btree_map("[A-Za-z0-9._:@/-]{1,20}", ("[a-f0-9]{1,12}", any::<u64>()), 0..8)
        ) {
            let wildcards: Vec<_> = wildcards.iter().map(|text| TopicPattern::parse(text).unwrap()).collect();
            let mut cursor = Cursor::following(&wildcards);
            for (topic, (epoch, offset)) in rows {
                cursor.set(TopicName::parse(&topic).unwrap(), Position { epoch: epoch.into(), offset });
            }
            let text = cursor.to_string();
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:@/-~*".contains(&b)), "{}", text);
            prop_assert_eq!(Cursor::parse(&text).unwrap(), cursor);
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,60}", tail in "[v1~a-c0-9*:]{0,20}") {
            for text in [text.clone(), format!("v1~{tail}"), format!("v1~a~e~1~{text}")] {
                let _any_outcome = Cursor::parse(&text).map(|cursor| assert!(!cursor.to_string().is_empty()));
            }
        }
    }
}
