import type { Rule, RuleDefinition } from '../../api/rules';

/** What the hub adds to the definition when it tells of a rule. */
const ADDED: ReadonlySet<string> = new Set(['id', 'version', 'created_at', 'created_by', 'updated_at', 'updated_by', 'live', 'source']);

/** The definition of a stored rule, as it could be sent again. */
export function definitionOf(rule: Rule): RuleDefinition {
  return Object.fromEntries(Object.entries(rule).filter(([name, value]) => !ADDED.has(name) && value !== null)) as unknown as RuleDefinition;
}
