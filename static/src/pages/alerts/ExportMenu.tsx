import * as Menu from '@radix-ui/react-dropdown-menu';
import { useMutation } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ALERTS_PATH } from '../../api/alertQueries';
import type { AlertSearch } from '../../api/alerts';
import { messageOf } from '../../api/problem';
import { useServices } from '../../state/context';
import { Icon } from '../../ui/icons';

const FORMATS = ['csv', 'json'] as const;

/** Everything that the filter lets through, also beyond the page, as a file. */
export function ExportMenu({ search }: { readonly search: () => AlertSearch }): ReactNode {
  const { api } = useServices();
  const fetching = useMutation({
    mutationFn: async (format: (typeof FORMATS)[number]) => save(await api.download(`${ALERTS_PATH}/export`, { format, ...search() }), `alerts.${format}`),
  });
  return (
    <>
      {fetching.error !== null && <span className="tone-bad" role="alert">{messageOf(fetching.error)}</span>}
      <Menu.Root modal={false}>
        <Menu.Trigger className="small" disabled={fetching.isPending}>{fetching.isPending ? 'Exporting' : 'Export'}<Icon name="chevron" size={11} /></Menu.Trigger>
        <Menu.Portal>
          <Menu.Content className="menu" align="end" sideOffset={6}>
            {FORMATS.map((format) => (
              <Menu.Item key={format} className="menu-item" onSelect={() => fetching.mutate(format)}><span className="menu-mark" />{format.toUpperCase()}</Menu.Item>
            ))}
          </Menu.Content>
        </Menu.Portal>
      </Menu.Root>
    </>
  );
}

/** Hands a file to the person who looks at the page. */
function save(file: Blob, name: string): void {
  const address = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
