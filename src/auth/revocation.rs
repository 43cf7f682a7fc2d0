//! Access tokens that were taken back, in memory: asked on every request, written through to the store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::RwLock;
use tokio::sync::watch;

use super::token::Claims;
use crate::store::RevocationRecords;

/// Entries at which those that ran out are looked for first; doubles with what is left.
const PRUNE_AT_MIN: usize = 1_024;

/// What is taken back. An entry lives until the token would have run out by itself.
#[derive(Debug)]
pub struct Revocations {
    lists: RwLock<Lists>,
    // Read without the lock: most hubs have nothing revoked at all.
    entries: AtomicU64,
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
struct Lists {
    /// jti → expiry.
    tokens: HashMap<String, u64>,
    /// subject → (issued before, expiry).
    subjects: HashMap<String, (u64, u64)>,
    prune_at: usize,
}

impl Revocations {
    /// With what the store has kept.
    pub fn new(records: RevocationRecords) -> Self {
        let tokens: HashMap<_, _> = records.tokens.into_iter().collect();
        let subjects: HashMap<_, _> = records
            .subjects
            .into_iter()
            .map(|(subject, before_ms, expires_at_ms)| (subject, (before_ms, expires_at_ms)))
            .collect();
        let entries = AtomicU64::new((tokens.len() + subjects.len()) as u64);
        let prune_at = PRUNE_AT_MIN.max(2 * (tokens.len() + subjects.len()));
        let lists = RwLock::new(Lists { tokens, subjects, prune_at });
        Self { lists, entries, changed: watch::Sender::new(0) }
    }

    /// Whether this token was taken back, by itself or with all of its subject.
    pub fn contain(&self, claims: &Claims) -> bool {
        if self.entries.load(Relaxed) == 0 {
            return false;
        }
        let lists = self.lists.read();
        lists.tokens.contains_key(&claims.jti)
            || lists
                .subjects
                .get(&claims.sub)
                .is_some_and(|(before_ms, _)| claims.issued_at_ms() < *before_ms)
    }

    /// Changes whenever something is taken back: live connections ask [`Self::contain`] again then.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Live connections are to ask again, although nothing was taken back.
    pub fn recheck(&self) {
        self.changed.send_modify(|generation| *generation += 1);
    }

    /// Takes back one token.
    pub(super) fn add_token(&self, jti: &str, expires_at_ms: u64, now_ms: u64) {
        self.change(now_ms, |lists| {
            lists.tokens.insert(jti.to_owned(), expires_at_ms);
        });
    }

    /// Takes back all tokens of a subject that were issued before `before_ms`.
    pub(super) fn add_subject(&self, subject: &str, before_ms: u64, expires_at_ms: u64, now_ms: u64) {
        self.change(now_ms, |lists| {
            lists.subjects.insert(subject.to_owned(), (before_ms, expires_at_ms));
        });
    }

    /// Adds what the store has; tells nobody when it is nothing new.
    pub(super) fn merge(&self, records: RevocationRecords, now_ms: u64) {
        let is_known = {
            let lists = self.lists.read();
            records.tokens.iter().all(|(jti, _)| lists.tokens.contains_key(jti))
                && records.subjects.iter().all(|(subject, before_ms, expires_at_ms)| {
                    lists.subjects.get(subject) == Some(&(*before_ms, *expires_at_ms))
                })
        };
        if !is_known {
            self.change(now_ms, |lists| {
                lists.tokens.extend(records.tokens);
                for (subject, before_ms, expires_at_ms) in records.subjects {
                    lists.subjects.insert(subject, (before_ms, expires_at_ms));
                }
            });
        }
    }

    fn change(&self, now_ms: u64, add: impl FnOnce(&mut Lists)) {
        let mut lists = self.lists.write();
        if lists.tokens.len() + lists.subjects.len() >= lists.prune_at {
            lists.tokens.retain(|_, expires_at_ms| *expires_at_ms > now_ms);
            lists.subjects.retain(|_, (_, expires_at_ms)| *expires_at_ms > now_ms);
            lists.prune_at = PRUNE_AT_MIN.max(2 * (lists.tokens.len() + lists.subjects.len()));
        }
        add(&mut lists);
        self.entries.store((lists.tokens.len() + lists.subjects.len()) as u64, Relaxed);
        drop(lists);
        self.changed.send_modify(|generation| *generation += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Role;

    fn claims(subject: &str, jti: &str, issued_at_ms: u64) -> Claims {
        Claims {
            sub: subject.into(),
            jti: jti.into(),
            iat: issued_at_ms / 1_000,
            role: Role::Viewer,
            ..Claims::development()
        }
    }

    #[test]
    fn a_token_or_all_of_a_subject_until_a_moment() {
        let revocations = Revocations::new(RevocationRecords::default());
        let watch = revocations.watch();
        assert!(!revocations.contain(&claims("alice", "a", 0)));
        revocations.add_token("a", 9_000, 0);
        assert!(revocations.contain(&claims("alice", "a", 0)));
        assert!(!revocations.contain(&claims("alice", "b", 0)));
        revocations.add_subject("alice", 5_000, 9_000, 0);
        assert!(revocations.contain(&claims("alice", "b", 4_000)));
        assert!(!revocations.contain(&claims("alice", "b", 5_000)), "issued afterwards");
        assert!(!revocations.contain(&claims("bob", "b", 4_000)));
        assert_eq!(*watch.borrow(), 2);
    }

    #[test]
    fn what_ran_out_makes_room() {
        let revocations = Revocations::new(RevocationRecords::default());
        for n in 0..100_000_u64 {
            revocations.add_token(&format!("jti-{n}"), n + 10, n);
        }
        assert!(revocations.lists.read().tokens.len() <= PRUNE_AT_MIN);
        assert!(revocations.contain(&claims("alice", "jti-99999", 0)));
    }

    #[test]
    fn what_another_process_took_back_is_merged_and_told_once() {
        let first = RevocationRecords { tokens: vec![("a".into(), 9)], subjects: vec![] };
        let revocations = Revocations::new(first.clone());
        assert!(revocations.contain(&claims("alice", "a", 0)));
        revocations.merge(first, 0);
        assert_eq!(*revocations.watch().borrow(), 0);
        let more = RevocationRecords { tokens: vec![("b".into(), 9)], subjects: vec![("bob".into(), 5, 9)] };
        revocations.merge(more, 0);
        assert!(revocations.contain(&claims("alice", "b", 0)) && revocations.contain(&claims("bob", "x", 0)));
        assert_eq!(*revocations.watch().borrow(), 1);
    }
}
