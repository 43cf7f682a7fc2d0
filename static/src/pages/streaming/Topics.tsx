import { createColumnHelper, getCoreRowModel, getSortedRowModel, useReactTable } from '@tanstack/react-table';
import { useEffect, useMemo, type ReactNode } from 'react';
import { PRIORITIES, type Topic } from '../../api/delivery';
import { useTopics } from '../../api/deliveryQueries';
import { bytes, bytesPerSecond, count, perSecond, UNKNOWN } from '../../format/numbers';
import { useServices } from '../../state/context';
import { useParameter } from '../../state/view';
import { Age } from '../../ui/Age';
import { DataTable } from '../../ui/DataTable';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { SearchBox } from '../../ui/SearchBox';
import { useSortParameter } from '../../ui/sortParameter';

const column = createColumnHelper<Topic>();
const NUMBER = { meta: { className: 'number' }, sortDescFirst: true } as const;

function columns(chosen: string | null, choose: (topic: string | null) => void) {
  return [
    column.accessor('topic', {
      header: 'Topic', size: 160,
      cell: (cell) => (
        <button type="button" className="link mono" aria-pressed={cell.getValue() === chosen}
          onClick={() => choose(cell.getValue() === chosen ? null : cell.getValue())}>
          {cell.getValue()}
        </button>
      ),
    }),
    column.accessor('class', { header: 'Class', size: 66 }),
    column.accessor((topic) => PRIORITIES.indexOf(topic.priority), {
      id: 'priority', header: 'Priority', size: 86, cell: (cell) => <span className={`priority-${cell.row.original.priority}`}>{cell.row.original.priority}</span>,
    }),
    column.accessor('kept', { header: 'Kept in', size: 86 }),
    column.accessor('subscribers', { ...NUMBER, header: () => <abbr title="Subscribers">Subs.</abbr>, size: 74, cell: (cell) => count(cell.getValue()) }),
    column.accessor('messages_per_s', { ...NUMBER, header: 'Messages/s', size: 104, cell: (cell) => perSecond(cell.getValue()) }),
    column.accessor('bytes_per_s', { ...NUMBER, header: 'Rate', size: 84, cell: (cell) => bytesPerSecond(cell.getValue()) }),
    column.accessor((topic) => topic.history?.messages ?? -1, {
      ...NUMBER, id: 'history', header: 'History', size: 84,
      cell: ({ row: { original: { history } } }) => <span title={bytes(history?.bytes)}>{count(history?.messages)}</span>,
    }),
    column.accessor('offset', {
      ...NUMBER, header: 'Offset', size: 78,
      cell: (cell) => <span title={`Epoch ${cell.row.original.epoch ?? UNKNOWN}`}>{count(cell.getValue())}</span>,
    }),
    column.accessor((topic) => topic.last_message_at ?? '', {
      ...NUMBER, id: 'last', header: 'Last', size: 70, cell: (cell) => <Age at={cell.row.original.last_message_at} />,
    }),
  ];
}

/** Every topic that this person may read. */
export function Topics(): ReactNode {
  const query = useTopics();
  const [text] = useParameter('q');
  const all = query.data?.items;
  const { socket } = useServices();
  useEffect(() => all?.forEach((topic) => socket.learnClass(topic.topic, topic.class)), [socket, all]);
  const shown = useMemo(() => {
    const words = (text ?? '').toLowerCase().split(/\s+/);
    return (all ?? []).filter((topic) => words.every((word) => `${topic.topic} ${topic.class} ${topic.priority} ${topic.kept}`.includes(word)));
  }, [all, text]);
  return (
    <Panel title="Topics" count={all === undefined ? undefined : shown.length} flush actions={<SearchBox parameter="q" label="Filter by name, class or priority" />}>
      <Loaded query={query} rows={6}>
        {(page) => {
          if (page.items.length === 0) return <Empty title="No topic yet"><p>A topic appears with its first subscriber or message.</p></Empty>;
          if (shown.length === 0) return <Empty title="No topic matches the filter" />;
          return (
            <>
              <TopicTable topics={shown} />
              {page.next_cursor !== null && <p className="muted panel-foot">The first {page.items.length} topics are shown.</p>}
            </>
          );
        }}
      </Loaded>
    </Panel>
  );
}

function TopicTable({ topics }: { readonly topics: Topic[] }): ReactNode {
  const [chosen, choose] = useParameter('topic');
  const [sorting, onSortingChange] = useSortParameter('-messages_per_s');
  const table = useReactTable({
    data: topics,
    columns: useMemo(() => columns(chosen, choose), [chosen, choose]),
    state: { sorting },
    onSortingChange,
    enableSortingRemoval: false,
    getRowId: (topic) => topic.topic,
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
  });
  return (
    <div className="topics-box">
      <DataTable table={table} caption="Topics" min_width={880} rowClass={(topic) => (topic.topic === chosen ? 'chosen' : undefined)} />
    </div>
  );
}
