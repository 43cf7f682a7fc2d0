//! Lists: at most so many items, and a cursor to the next ones.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::query::Query;

/// Items of a list that asks for no number of them, and the most that one may ask for.
pub const LIMIT_DEFAULT: usize = 50;
/// See [`LIMIT_DEFAULT`].
pub const LIMIT_MAX: usize = 500;

/// One page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Pass it as `cursor` to get the next ones; null after the last.
    pub next_cursor: Option<String>,
}

/// What part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// How many items.
    pub limit: usize,
    /// The key of the last item of the page before.
    pub after: Option<String>,
}

impl Asked {
    /// Reads `limit` and `cursor`; `is_key` says whether a text can be a key of this list.
    pub fn read(query: &mut Query, is_key: impl FnOnce(&str) -> bool) -> Self {
        let limit = query.number("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT);
        let after = query.parsed("cursor", |text| {
            decode(text).filter(|key| is_key(key)).ok_or("must be a next_cursor of this list, or left out")
        });
        Self { limit, after }
    }

    /// Makes the page out of `limit + 1` items: the one too many tells that there is a next page.
    pub fn page<T>(&self, mut items: Vec<T>, key: impl FnOnce(&T) -> String) -> Page<T> {
        let has_more = items.len() > self.limit;
        items.truncate(self.limit);
        let next_cursor = items.last().filter(|_| has_more).map(|last| encode(&key(last)));
        Page { items, next_cursor }
    }
}

/// A key as a cursor.
pub(super) fn encode(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

pub(super) fn decode(cursor: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(query: &str) -> Result<Asked, String> {
        let mut query = Query::parse(query).unwrap();
        let asked = Asked::read(&mut query, |key| key.chars().all(|c| c.is_ascii_lowercase()));
        query.check().map(|()| asked).map_err(|problem| problem.to_string())
    }

    #[test]
    fn limits_and_cursors_out_of_bounds_are_refused() {
        assert_eq!(asked("").unwrap(), Asked { limit: 50, after: None });
        for bad in ["limit=0", "limit=501", "limit=-1", "limit=x"] {
            assert_eq!(asked(bad).unwrap_err(), "/limit: must be a number from 1 to 500", "{bad}");
        }
        for bad in ["cursor=%21", "cursor=QQ", "cursor=gIA"] {
            assert!(asked(bad).unwrap_err().starts_with("/cursor: must be a next_cursor"), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn pages_joined_are_the_list(keys in prop::collection::btree_set("[a-z]{1,6}", 0..40), limit in 1usize..9) {
            let all: Vec<String> = keys.iter().cloned().collect();
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let asked = asked(&format!("limit={limit}&cursor={cursor}")).unwrap();
                let rest = keys.iter().filter(|key| asked.after.as_ref().is_none_or(|after| *key > after));
                let page = asked.page(rest.take(limit + 1).cloned().collect(), Clone::clone);
                prop_assert!(page.items.len() <= limit);
                seen.extend(page.items);
                match page.next_cursor {
                    Some(next) => cursor = next,
                    None => break,
                }
            }
            prop_assert_eq!(seen, all);
        }
    }
}
