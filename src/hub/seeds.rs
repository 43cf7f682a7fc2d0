//! What a fresh store begins with: rules on the host's own metrics, and that a node which is offline is one alert, not one
//! for everything on it. Kept before any hub node reads rules, so that whoever owns alerts first finds them.

use crate::alert::{HUB, InhibitionDefinition, policies};
use crate::rule::{Rule, RuleError, templates};
use crate::store::{PolicyKind, PolicyWrite, RuleWrite, Store};

/// The label by which the rule says that a whole node is concerned.
const SCOPE: &str = "scope";

/// Makes all of it.
pub(super) async fn sow(store: &Store, rules_max: usize, now_ms: u64) -> Result<(), RuleError> {
    let rules = templates::seeds().into_iter().map(|(id, mut definition)| {
        // Machines that a load test makes up concern nobody; a rule without a node would wait for one that never was.
        definition.condition.matchers.extend(["load_test=".to_owned(), "node=~.+".to_owned()]);
        if id == "node-offline" {
            definition.labels.insert(SCOPE.to_owned(), "node".to_owned());
        }
        let rule = Rule::check(definition).map_err(RuleError::Invalid)?;
        let definition = serde_json::to_string(rule.definition()).unwrap_or_default();
        Ok(RuleWrite { id, definition, enabled: rule.definition().enabled, expected: Some(0) })
    });
    let rules = rules.collect::<Result<Vec<_>, RuleError>>()?;
    store.put_rules(rules, HUB, now_ms, rules_max).await?;
    let inhibition = InhibitionDefinition {
        source_matchers: vec![format!("{SCOPE}=node")],
        target_matchers: vec![format!("{SCOPE}!=node")],
        equal: vec!["node".to_owned()],
    };
    let write = PolicyWrite {
        id: "node-offline".to_owned(),
        // Texts: they can be written.
        body: serde_json::to_string(&inhibition).unwrap_or_default(),
        expected: Some(0),
    };
    store.put_policy(PolicyKind::Inhibition, write, HUB, now_ms, policies::POLICIES_MAX).await?;
    Ok(())
}
