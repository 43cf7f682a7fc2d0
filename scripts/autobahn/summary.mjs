// Prints what the suite found, a line a section, and fails when a case did.
//
// Usage: node summary.mjs INDEX_JSON...   (reports of runs of different cases)
import { readFileSync } from 'node:fs';

// Cases that ask for a window of less than 15 bits, which the hub declines: RFC 7692 lets it.
const MAY_DECLINE = /^13\.[35]\./;

const rows = new Map();
const failures = [];

function judge(id, { behavior, behaviorClose }) {
  if (behavior === 'UNIMPLEMENTED') {
    return MAY_DECLINE.test(id) ? 'declined' : 'failed';
  }
  if (!['OK', 'INFORMATIONAL'].includes(behaviorClose)) {
    return 'failed';
  }
  return { OK: 'ok', INFORMATIONAL: 'told' }[behavior] ?? 'failed';
}

for (const path of process.argv.slice(2)) {
  for (const cases of Object.values(JSON.parse(readFileSync(path, 'utf8')))) {
    for (const [id, found] of Object.entries(cases)) {
      const section = Number(id.split('.')[0]);
      const row = rows.get(section) ?? { cases: 0, ok: 0, told: 0, declined: 0, failed: 0 };
      const verdict = judge(id, found);
      row.cases += 1;
      row[verdict] += 1;
      rows.set(section, row);
      if (verdict === 'failed') {
        failures.push(`${id}: ${found.behavior}, close ${found.behaviorClose}`);
      }
    }
  }
}

const heads = ['section', 'cases', 'OK', 'informational', 'declined', 'failed'];
const line = (cells) => cells.map((cell, n) => String(cell).padStart(heads[n].length)).join('  ');
console.log(line(heads));
for (const [section, row] of [...rows].sort(([a], [b]) => a - b)) {
  console.log(line([section, row.cases, row.ok, row.told, row.declined, row.failed]));
}
for (const failure of failures) {
  console.log(failure);
}
process.exitCode = rows.size > 0 && failures.length === 0 ? 0 : 1;
