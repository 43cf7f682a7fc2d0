import type { ReactNode } from 'react';
import { ofTotal } from '../../format/numbers';
import type { LabelledSample } from '../../state/fleetStore';
import { Meter } from '../../ui/Meter';
import { Panel } from '../../ui/Panel';

/** Space per mount, in words and bars. */
export function DiskMeters({ samples }: { readonly samples: readonly LabelledSample[] }): ReactNode {
  const mounts = [...new Set(samples.flatMap((sample) => (sample.name === 'disk_space_percent' ? [sample.labels.mount ?? ''] : [])))].sort();
  if (mounts.length === 0) return null;
  const valueOf = (name: string, mount: string): number | undefined =>
    samples.find((sample) => sample.name === name && sample.labels.mount === mount)?.value;
  return (
    <Panel title="Disk space" count={mounts.length}>
      <div className="mounts">
        {mounts.map((mount) => (
          <Meter key={mount} label={mount} value={valueOf('disk_space_percent', mount)} show_label
            note={ofTotal(valueOf('disk_space_used_bytes', mount), valueOf('disk_space_total_bytes', mount))} />
        ))}
      </div>
    </Panel>
  );
}
