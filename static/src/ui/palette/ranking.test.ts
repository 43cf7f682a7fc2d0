import { expect, it } from 'vitest';
import { ranked, SHOWN_MAX, type Command } from './ranking';

const command = (group: Command['group'], label: string, detail = ''): Command => ({ id: `${group} ${label}`, group, label, detail, run: () => undefined });
const ALL = [
  command('Pages', 'Command Center'), command('Pages', 'Nodes'), command('Pages', 'Connections'), command('Actions', 'Pause the views'),
  command('Nodes', 'web-1', 'online'), command('Nodes', 'db-2', 'offline'), command('Topics', 'metrics:web-1'), command('Topics', 'nodes'), command('Theme', 'Dark'),
];
const found = (text: string): string[] => ranked(ALL, text).map((one) => one.label);

it('shows everything in order of the groups while nothing is typed', () => {
  expect(found('  ')).toEqual(ALL.map((one) => one.label));
});

it('puts what begins with the word before what only has it', () => {
  expect(found('nodes')).toEqual(['Nodes', 'nodes', 'web-1', 'db-2']);
  expect(found('con')).toEqual(['Connections']);
  expect(found('1')).toEqual(['web-1', 'metrics:web-1']);
});

it('needs every word, wherever it stands', () => {
  expect(found('web online')).toEqual(['web-1']);
  expect(found('WEB METRICS')).toEqual(['metrics:web-1']);
  expect(found('theme dark')).toEqual(['Dark']);
  expect(found('web nothing')).toEqual([]);
});

it('is bounded', () => {
  const many = Array.from({ length: 500 }, (_, index) => command('Nodes', `node-${index}`));
  expect(ranked(many, 'node')).toHaveLength(SHOWN_MAX);
});
