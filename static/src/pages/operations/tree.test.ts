import { expect, it } from 'vitest';
import type { SupervisedKind } from '../../api/types';
import { supervisionTree, type KindRow } from './tree';

function kind(name: string, parent: string | null): SupervisedKind {
  return {
    kind: name, parent, group: null, policy: 'permanent', intensity_max: 5, intensity_window_ms: 1, backoff_min_ms: 1, backoff_max_ms: 2,
    placement: 'any', queue_bound: null, when_full: null, instances: 1, restarts: 0, mailbox_depth: null, state: 'running', last_failure: null,
  };
}

const outline = (rows: KindRow[]): unknown[] => rows.map((row) => [row.kind, outline(row.children)]);

it('puts kinds under their parents in start order, and orphans at the root', () => {
  const rows = supervisionTree([kind('hub', null), kind('topics', 'hub'), kind('topic', 'topics'), kind('store', 'hub'), kind('lost', 'nobody'), kind('loop', 'loop')]);
  expect(outline(rows)).toEqual([['hub', [['topics', [['topic', []]]], ['store', []]]], ['lost', []], ['loop', []]]);
});
