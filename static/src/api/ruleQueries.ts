import { useInfiniteQuery, useQuery, type InfiniteData, type UseInfiniteQueryResult, type UseQueryResult } from '@tanstack/react-query';
import { useConnection, useServices } from '../state/context';
import { usePaused } from '../state/view';
import { isReceiving } from '../wire/connectionState';
import { useRead } from './queries';
import type { Rule, RuleDefinition, RuleExplanation, RulePreview, RuleTemplate, RuleTest } from './rules';
import type { Page } from './types';

export const RULES_PATH = '/api/v1/rules';
export const PREVIEW_PATH = `${RULES_PATH}/preview`;
export const TEST_PATH = '/api/v1/test/rule';
const PAGE_LIMIT = 200;
const REREAD_MS = 3_000;
const PREVIEW_REREAD_MS = 20_000;
const EXPLAIN_REREAD_MS = 5_000;
// The past does not change, but what is kept of it does.
const PAST_REREAD_MS = 60_000;

export const rulePath = (id: string): string => `${RULES_PATH}/${encodeURIComponent(id)}`;

/** Rules with their live state, a page at a time. */
export function useRules(): UseInfiniteQueryResult<InfiniteData<Page<Rule>>> {
  const { api } = useServices();
  const receiving = isReceiving(useConnection());
  const paused = usePaused();
  return useInfiniteQuery({
    queryKey: ['rules', 'list'],
    queryFn: ({ pageParam, signal }) => api.get<Page<Rule>>(RULES_PATH, { limit: PAGE_LIMIT, cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: paused || !receiving ? false : REREAD_MS,
    enabled: (query) => !(paused && query.state.data !== undefined),
  });
}

export const useRule = (id: string | null): UseQueryResult<Rule> => useRead(['rules', 'one', id], rulePath(id ?? ''), REREAD_MS, id !== null);

export const useRuleTemplates = (): UseQueryResult<Page<RuleTemplate>> => useRead(['rules', 'templates'], '/api/v1/templates?kind=rule', 5 * 60_000);

/** Why the series of a rule are in the state that they are in, or were at a moment of the past (RFC 3339). */
export const useExplanation = (rule_id: string | null, at: string | null = null): UseQueryResult<RuleExplanation> =>
  useRead(['rules', 'one', rule_id, 'explain', at], `${rulePath(rule_id ?? '')}/explain${at === null ? '' : `?at=${encodeURIComponent(at)}`}`,
    at === null ? EXPLAIN_REREAD_MS : PAST_REREAD_MS, rule_id !== null);

export interface PreviewAsk {
  readonly definition: RuleDefinition;
  readonly span_ms: number;
  /** Empty: every node. */
  readonly node: string;
}

/** What a rule would have done on what the hub keeps; `null` while there is nothing to ask. Asked again when the rule is another. */
export function usePreview(ask: PreviewAsk | null): UseQueryResult<RulePreview> {
  const { api } = useServices();
  const paused = usePaused();
  return useQuery({
    queryKey: ['rules', 'preview', JSON.stringify(ask)],
    queryFn: ({ signal }) => {
      const { definition, span_ms, node } = ask as PreviewAsk;
      const since = new Date(Date.now() - span_ms).toISOString();
      // A rule without a name can be tried all the same.
      const rule = { ...definition, name: definition.name === '' ? 'preview' : definition.name };
      return api.search<RulePreview>(PREVIEW_PATH, { rule, since, ...(node === '' ? {} : { node }) }, signal);
    },
    enabled: ask !== null,
    // The span ends now, and now goes on.
    refetchInterval: paused ? false : PREVIEW_REREAD_MS,
    staleTime: PREVIEW_REREAD_MS,
    retry: false,
  });
}

/** What a rule says of values that were made up. */
export function useRuleTest(definition: RuleDefinition | null, values: readonly number[], interval_s: number): UseQueryResult<RuleTest> {
  const { api } = useServices();
  return useQuery({
    queryKey: ['rules', 'test', JSON.stringify([definition, values, interval_s])],
    queryFn: ({ signal }) => api.search<RuleTest>(TEST_PATH, {
      rule: { ...definition, name: definition?.name === '' ? 'test' : definition?.name }, test_values: values, interval_seconds: interval_s,
    }, signal),
    enabled: definition !== null && values.length > 0,
    staleTime: Infinity,
    retry: false,
  });
}
