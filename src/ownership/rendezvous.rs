//! Which hub node is to have a unit: the same answer everywhere, without anybody asked. Pure.

use sha2::{Digest, Sha256};

/// Of those that live, the one that the unit is for. When one comes or goes, only its own units move.
pub fn winner<'a>(unit: &str, live: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    live.into_iter().max_by_key(|instance| (weight(unit, instance), *instance))
}

fn weight(unit: &str, instance: &str) -> [u8; 32] {
    Sha256::new().chain_update(unit).chain_update([0]).chain_update(instance).finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn of<'a>(unit: &str, live: &'a BTreeSet<String>) -> Option<&'a str> {
        winner(unit, live.iter().map(String::as_str))
    }

    proptest! {
        #[test]
        fn the_order_does_not_matter_and_only_units_of_who_leaves_move(
            live in prop::collection::btree_set("[a-z0-9]{1,8}", 1..12),
            units in prop::collection::vec("[a-z]{1,8}", 1..20),
            gone in any::<prop::sample::Index>(),
        ) {
            let gone = live.iter().nth(gone.index(live.len())).unwrap().clone();
            let mut fewer = live.clone();
            fewer.remove(&gone);
            for unit in &units {
                let before = of(unit, &live);
                prop_assert_eq!(before, winner(unit, live.iter().rev().map(String::as_str)));
                if before == Some(gone.as_str()) {
                    prop_assert_eq!(of(unit, &fewer).is_none(), fewer.is_empty());
                } else {
                    prop_assert_eq!(before, of(unit, &fewer));
                }
            }
        }
    }

    #[test]
    fn units_are_spread_over_all() {
        let live: BTreeSet<String> = (0..4).map(|number| format!("hub-{number}")).collect();
        for instance in &live {
            let own = (0..1_000).filter(|unit| of(&unit.to_string(), &live) == Some(instance)).count();
            assert!((180..=320).contains(&own), "{instance} has {own} of 1,000");
        }
    }

    #[test]
    fn nobody_wins_where_nobody_lives() {
        assert_eq!(winner("alerts", []), None);
    }
}
