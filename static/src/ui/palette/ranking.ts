/** One thing that the palette can do. */
export interface Command {
  readonly id: string;
  readonly group: 'Pages' | 'Actions' | 'Alerts' | 'Nodes' | 'Topics' | 'Theme';
  readonly label: string;
  /** What else it is found by, and what is said beside it. */
  readonly detail?: string;
  readonly keys?: string;
  readonly run: () => void;
}

/** More than this nobody reads; another word of the search narrows it down. */
export const SHOWN_MAX = 40;
const GROUPS: readonly Command['group'][] = ['Pages', 'Actions', 'Alerts', 'Nodes', 'Topics', 'Theme'];

/** The commands that have every word of `text` somewhere, the best first within their groups, the groups by their best. */
export function ranked(commands: readonly Command[], text: string): Command[] {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== '');
  const found = commands.flatMap((command) => {
    const score = scoreOf(command, words);
    return score === null ? [] : [{ command, score }];
  });
  const best = new Map<string, number>();
  for (const { command, score } of found) best.set(command.group, Math.max(best.get(command.group) ?? 0, score));
  const place = (group: Command['group']): number => (words.length === 0 ? 0 : -(best.get(group) ?? 0)) * GROUPS.length + GROUPS.indexOf(group);
  return found
    .sort((left, right) => place(left.command.group) - place(right.command.group) || right.score - left.score)
    .slice(0, SHOWN_MAX)
    .map(({ command }) => command);
}

/** How well a command is meant by the words; `null` when one of them is nowhere in it. */
function scoreOf({ label, detail = '', group }: Command, words: readonly string[]): number | null {
  const name = label.toLowerCase();
  const rest = `${detail} ${group}`.toLowerCase();
  let score = 0;
  for (const word of words) {
    if (name.startsWith(word)) score += 4;
    else if (name.split(/[\s_:.-]+/).some((part) => part.startsWith(word))) score += 3;
    else if (name.includes(word)) score += 2;
    else if (rest.includes(word)) score += 1;
    else return null;
  }
  return score;
}
