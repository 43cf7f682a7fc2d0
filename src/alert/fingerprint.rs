//! What makes two breaches the same alert: a digest of where they come from and of their labels.

use std::collections::BTreeMap;
use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Texts by name.
pub type Labels = BTreeMap<String, String>;

/// The fingerprint of a rule's alert: SHA-256 over the rule and the labels by name, in hexadecimal.
pub fn of_rule<'a>(rule_id: &str, labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    digest(&["rule", rule_id], labels)
}

/// The fingerprint of the alert that a series of a rule is silent: another one than that of its breaches.
pub fn of_silence<'a>(rule_id: &str, labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    digest(&["no_data", rule_id], labels)
}

/// The fingerprint of an alert from outside: SHA-256 over service, title and the labels by name, in hexadecimal.
pub fn of_outside<'a>(
    service: Option<&str>,
    title: &str,
    labels: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    digest(&["outside", service.unwrap_or_default(), title], labels)
}

/// Every text is preceded by its length: no two lists of texts are the same bytes.
fn digest<'a>(origin: &[&str], labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut labels: Vec<_> = labels.into_iter().collect();
    labels.sort_unstable();
    let mut sha = Sha256::new();
    let mut add = |text: &str| {
        sha.update((text.len() as u64).to_be_bytes());
        sha.update(text.as_bytes());
    };
    origin.iter().copied().for_each(&mut add);
    for (name, value) in labels {
        add(name);
        add(value);
    }
    let mut hex = String::with_capacity(64);
    for byte in sha.finalize() {
        // Writing to a String cannot fail.
        let _written = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_differs_has_another_fingerprint() {
        let all = [
            of_rule("cpu", []),
            of_rule("cpu", [("a", "b")]),
            of_rule("cpu", [("ab", "")]),
            of_rule("cpu", [("", "ab")]),
            of_rule("cpua", [("b", "")]),
            of_silence("cpu", []),
            of_silence("cpu", [("a", "b")]),
            of_outside(Some("cpu"), "", []),
            of_outside(None, "cpu", []),
            of_outside(Some("cp"), "u", []),
        ];
        for (at, one) in all.iter().enumerate() {
            assert_eq!(one.len(), 64);
            assert!(!all[at + 1..].contains(one), "{at}");
        }
        // Kept in databases: a change of the scheme would open every alert anew.
        assert_eq!(
            of_rule("cpu", [("node", "web-1")]),
            "438afa0231e425badd3d6be3eb478d49ae2510e57d152f68a60c2d04bebc0b40"
        );
        assert_eq!(
            of_silence("cpu", [("node", "web-1")]),
            "892c5ac13aad5436a7ade83348c92fcbab0a77fd5c574b4da2d8775243db668f"
        );
    }

    proptest! {
        #[test]
        fn it_does_not_depend_on_the_order_of_labels(
            (labels, shuffled) in prop::collection::btree_map("\\PC{0,8}", "\\PC{0,8}", 0..8).prop_flat_map(|labels| {
                let list: Vec<_> = labels.clone().into_iter().collect();
                (Just(labels), Just(list).prop_shuffle())
            }),
            rule in "\\PC{0,12}",
        ) {
            let labels: Vec<_> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let shuffled: Vec<_> = shuffled.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            prop_assert_eq!(of_rule(&rule, labels.clone()), of_rule(&rule, shuffled.clone()));
            prop_assert_eq!(of_outside(None, &rule, labels), of_outside(None, &rule, shuffled));
        }
    }
}
