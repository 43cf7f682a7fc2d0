//! Which alerts are told together, and when: the first after `group_wait`, what joins or leaves after
//! `group_interval`, what stays after `repeat_interval`. Critical alerts do not wait for the others of a new group.
//!
//! Times are those of the caller; a group says when it is due.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::fingerprint::Labels;
use super::severity::Severity;

/// How long a group waits, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// From a group's first alert to its first notification.
    pub group_wait_ms: u64,
    /// From one notification to the next of what changed.
    pub group_interval_ms: u64,
    /// From one notification to the next of the same.
    pub repeat_interval_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self { group_wait_ms: 30_000, group_interval_ms: 300_000, repeat_interval_ms: 4 * 3_600_000 }
    }
}

/// What alerts of a group have alike: a rule or another origin, and the values of the labels that it groups by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// Where the alerts come from: alerts of different origins are never told together.
    pub origin: String,
    /// The labels, by name; one that is missing is empty.
    pub labels: Labels,
}

impl GroupKey {
    /// The group of an alert with these labels.
    pub fn of(origin: &str, group_by: &[String], labels: &Labels) -> Self {
        let value = |name: &String| (name.clone(), labels.get(name).cloned().unwrap_or_default());
        Self { origin: origin.to_owned(), labels: group_by.iter().map(value).collect() }
    }
}

/// A notification that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The group.
    pub key: GroupKey,
    /// Ids of the alerts that fire.
    pub firing: Vec<String>,
    /// Ids of the alerts that were told as firing, and are over since.
    pub resolved: Vec<String>,
    /// Whether nothing changed since the notification before.
    pub repeats: bool,
}

#[derive(Debug)]
struct Group {
    firing: BTreeSet<String>,
    /// As of the notification before.
    told: BTreeSet<String>,
    due_ms: u64,
    told_at_ms: Option<u64>,
}

impl Group {
    fn has_news(&self) -> bool {
        self.firing != self.told
    }

    /// Something changed: it is told at the next occasion.
    fn changed(&mut self, timing: &Timing) {
        let Some(told_at_ms) = self.told_at_ms else { return };
        let interval_ms = if self.has_news() { timing.group_interval_ms } else { timing.repeat_interval_ms };
        self.due_ms = told_at_ms.saturating_add(interval_ms);
    }
}

/// The groups with alerts that fire, or that are over and not told.
#[derive(Debug)]
pub struct Groups {
    timing: Timing,
    groups: HashMap<GroupKey, Group>,
    by_due: BTreeMap<u64, BTreeSet<GroupKey>>,
}

impl Groups {
    /// No group yet.
    pub fn new(timing: Timing) -> Self {
        Self { timing, groups: HashMap::new(), by_due: BTreeMap::new() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// When the next group is due, Unix milliseconds.
    pub fn next_due_ms(&self) -> Option<u64> {
        self.by_due.keys().next().copied()
    }

    /// An alert fires. Again is fine.
    pub fn fires(&mut self, key: &GroupKey, id: &str, severity: Severity, now_ms: u64) {
        let timing = self.timing;
        let waits_ms = if severity == Severity::Critical { 0 } else { timing.group_wait_ms };
        let due_ms = now_ms.saturating_add(waits_ms);
        self.change(key, |group| {
            let group = group.get_or_insert_with(|| Group {
                firing: BTreeSet::new(),
                told: BTreeSet::new(),
                due_ms,
                told_at_ms: None,
            });
            if group.firing.insert(id.to_owned()) {
                group.changed(&timing);
            }
            // What is critical takes the others of a group that waits along.
            if group.told_at_ms.is_none() {
                group.due_ms = group.due_ms.min(due_ms);
            }
        });
    }

    /// An alert fires of which somebody was told before the hub ended, at `told_ms`.
    pub fn resume(&mut self, key: &GroupKey, id: &str, told_ms: u64) {
        let repeat_ms = self.timing.repeat_interval_ms;
        self.change(key, |slot| {
            let group = slot.get_or_insert_with(|| Group {
                firing: BTreeSet::new(),
                told: BTreeSet::new(),
                due_ms: 0,
                told_at_ms: None,
            });
            group.firing.insert(id.to_owned());
            group.told.insert(id.to_owned());
            let told_ms = group.told_at_ms.map_or(told_ms, |known_ms| known_ms.max(told_ms));
            group.told_at_ms = Some(told_ms);
            group.due_ms = told_ms.saturating_add(repeat_ms);
        });
    }

    /// An alert does not fire any more: it is over, or somebody has it in hand. A group of which nothing was told is
    /// forgotten with its last alert.
    pub fn ends(&mut self, key: &GroupKey, id: &str) {
        let timing = self.timing;
        self.change(key, |slot| {
            let Some(group) = slot else { return };
            if group.firing.remove(id) {
                group.changed(&timing);
            }
            if group.firing.is_empty() && group.told.is_empty() {
                *slot = None;
            }
        });
    }

    /// The notifications that are due, oldest first.
    pub fn take_due(&mut self, now_ms: u64) -> Vec<Due> {
        let timing = self.timing;
        let mut due = Vec::new();
        while let Some((_, keys)) = self.by_due.first_key_value().filter(|(due_ms, _)| **due_ms <= now_ms) {
            for key in keys.clone() {
                self.change(&key, |slot| {
                    let Some(group) = slot else { return };
                    due.push(Due {
                        key: key.clone(),
                        firing: group.firing.iter().cloned().collect(),
                        resolved: group.told.difference(&group.firing).cloned().collect(),
                        repeats: !group.has_news(),
                    });
                    group.told.clone_from(&group.firing);
                    group.told_at_ms = Some(now_ms);
                    // At least a millisecond on, or an interval of 0 would never end here.
                    group.due_ms = now_ms.saturating_add(timing.repeat_interval_ms.max(1));
                    if group.firing.is_empty() {
                        *slot = None;
                    }
                });
            }
        }
        due
    }

    /// Changes a group and keeps `by_due` in step.
    fn change(&mut self, key: &GroupKey, change: impl FnOnce(&mut Option<Group>)) {
        let mut slot = self.groups.remove(key);
        if let Some(group) = &slot
            && let Some(keys) = self.by_due.get_mut(&group.due_ms)
        {
            keys.remove(key);
            if keys.is_empty() {
                self.by_due.remove(&group.due_ms);
            }
        }
        change(&mut slot);
        if let Some(group) = slot {
            self.by_due.entry(group.due_ms).or_default().insert(key.clone());
            self.groups.insert(key.clone(), group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIMING: Timing = Timing { group_wait_ms: 30, group_interval_ms: 300, repeat_interval_ms: 14_400 };

    fn key(zone: &str) -> GroupKey {
        let labels = [("zone".to_owned(), zone.to_owned()), ("node".to_owned(), "x".to_owned())].into();
        GroupKey::of("cpu", &["zone".to_owned(), "missing".to_owned()], &labels)
    }

    fn told(due: &[Due]) -> Vec<(Vec<&str>, Vec<&str>, bool)> {
        fn texts(ids: &[String]) -> Vec<&str> {
            ids.iter().map(String::as_str).collect()
        }
        due.iter().map(|due| (texts(&due.firing), texts(&due.resolved), due.repeats)).collect()
    }

    #[test]
    fn the_first_waits_what_changes_waits_longer_and_what_stays_longest() {
        let mut groups = Groups::new(TIMING);
        groups.fires(&key("a"), "1", Severity::Warning, 1_000);
        groups.fires(&key("a"), "2", Severity::Error, 1_010);
        assert_eq!((groups.next_due_ms(), groups.take_due(1_029)), (Some(1_030), vec![]));
        assert_eq!(told(&groups.take_due(1_030)), [(vec!["1", "2"], vec![], false)]);
        groups.fires(&key("a"), "3", Severity::Critical, 1_040);
        groups.ends(&key("a"), "1");
        assert_eq!(groups.next_due_ms(), Some(1_330));
        assert_eq!(told(&groups.take_due(1_330)), [(vec!["2", "3"], vec!["1"], false)]);
        assert_eq!(groups.next_due_ms(), Some(15_730));
        assert_eq!(told(&groups.take_due(15_730)), [(vec!["2", "3"], vec![], true)]);
        // There and back again is no news.
        groups.ends(&key("a"), "2");
        groups.fires(&key("a"), "2", Severity::Error, 15_740);
        assert_eq!(groups.next_due_ms(), Some(15_730 + 14_400));
        groups.ends(&key("a"), "2");
        groups.ends(&key("a"), "3");
        assert_eq!(told(&groups.take_due(16_030)), [(vec![], vec!["2", "3"], false)]);
        assert!(groups.is_empty() && groups.next_due_ms().is_none());
    }

    #[test]
    fn after_a_restart_what_was_told_is_not_told_again_at_once() {
        let mut groups = Groups::new(TIMING);
        groups.resume(&key("a"), "1", 1_000);
        groups.resume(&key("a"), "2", 1_100);
        groups.fires(&key("a"), "1", Severity::Critical, 2_000);
        assert_eq!(groups.next_due_ms(), Some(1_100 + 14_400));
        groups.ends(&key("a"), "2");
        assert_eq!(told(&groups.take_due(2_000)), [(vec!["1"], vec!["2"], false)]);
    }

    #[test]
    fn critical_does_not_wait_for_a_new_group_and_takes_the_others_along() {
        let mut groups = Groups::new(Timing::default());
        groups.fires(&key("a"), "1", Severity::Info, 1_000);
        groups.fires(&key("a"), "2", Severity::Critical, 1_001);
        assert_eq!(told(&groups.take_due(1_001)), [(vec!["1", "2"], vec![], false)]);
        groups.fires(&key("b"), "3", Severity::Info, 2_000);
        assert_eq!(groups.next_due_ms(), Some(32_000), "another group waits by itself");
        groups.ends(&key("b"), "3");
        assert_eq!(groups.len(), 1, "over before anybody was told");
    }

    proptest! {
        #[test]
        fn whoever_is_told_of_an_alert_is_told_of_its_end(
            steps in prop::collection::vec((any::<bool>(), 0..3_u8, 0..4_u8, 0..200_u64), 0..60)
        ) {
            let mut groups = Groups::new(TIMING);
            let (mut firing, mut believed, mut now_ms) = (BTreeSet::new(), BTreeSet::new(), 0);
            let names = ["a", "b", "c"];
            let hear = |believed: &mut BTreeSet<(GroupKey, String)>, due: Vec<Due>| {
                for Due { key, firing, resolved, .. } in due {
                    for id in resolved {
                        assert!(believed.remove(&(key.clone(), id)), "told before");
                    }
                    believed.extend(firing.into_iter().map(|id| (key.clone(), id)));
                }
            };
            for (fires, zone, id, ms) in steps {
                now_ms += ms;
                hear(&mut believed, groups.take_due(now_ms));
                let (key, id) = (key(names[usize::from(zone)]), id.to_string());
                if fires {
                    groups.fires(&key, &id, Severity::Warning, now_ms);
                    firing.insert((key, id));
                } else {
                    groups.ends(&key, &id);
                    firing.remove(&(key, id));
                }
            }
            hear(&mut believed, groups.take_due(now_ms + TIMING.group_interval_ms));
            prop_assert_eq!(believed, firing);
        }
    }
}
