//! What a fresh hub begins with: rules on the host's own metrics, and that a node which is offline is one alert, not one
//! for everything on it.

use crate::alert::{HUB, InhibitionDefinition, policies};
use crate::http::State;
use crate::rule::{RuleError, templates};
use crate::store::{PolicyKind, PolicyWrite};

/// The label by which the rule says that a whole node is concerned.
const SCOPE: &str = "scope";

/// Makes all of it.
pub(super) async fn sow(state: &State) -> Result<(), RuleError> {
    for (id, mut definition) in templates::seeds() {
        // Machines that a load test makes up concern nobody; a rule without a node would wait for one that never was.
        definition.condition.matchers.extend(["load_test=".to_owned(), "node=~.+".to_owned()]);
        if id == "node-offline" {
            definition.labels.insert(SCOPE.to_owned(), "node".to_owned());
        }
        state.services.rules.create(definition, HUB).await?;
    }
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
    let now_ms = state.services.clock.unix_ms();
    state.store.put_policy(PolicyKind::Inhibition, write, HUB, now_ms, policies::POLICIES_MAX).await?;
    state.services.alerts.policies_changed().await?;
    Ok(())
}
