import { useRef, useState, type ReactNode } from 'react';
import { PRIORITIES } from '../../api/delivery';
import { milliseconds } from '../../format/times';
import { useConnection, useServices } from '../../state/context';
import { Field } from '../../ui/Field';
import { Icon } from '../../ui/icons';
import { Panel } from '../../ui/Panel';
import { isObject, number, text, type Frame } from '../../wire/envelope';
import { RequestError } from '../../wire/pendingRequests';
import { publishPayload, type PublishErrors } from './publishing';

interface Answer {
  readonly kind: 'waiting' | 'published' | 'refused';
  readonly title: string;
  readonly detail: string;
}

const EXAMPLE = '{\n  "message": "hello"\n}';

/** Publishes one message and shows what the hub says. While offline the message waits in the queue. */
export function PublishBox({ topic: initial }: { readonly topic: string }): ReactNode {
  const { socket } = useServices();
  const connection = useConnection();
  const [form, setForm] = useState({ topic: initial, data: EXAMPLE, priority: '', key: '' });
  const [errors, setErrors] = useState<PublishErrors>({});
  const [answer, setAnswer] = useState<Answer | null>(null);
  const newest = useRef(0);
  const may_publish = connection.hello === null || connection.hello.role !== 'viewer';
  const change = (part: Partial<typeof form>): void => setForm({ ...form, ...part });
  const publish = async (): Promise<void> => {
    const read = publishPayload(form);
    setErrors('errors' in read ? read.errors : {});
    if ('errors' in read) {
      setAnswer(null);
      return;
    }
    const turn = ++newest.current;
    const started_ms = performance.now();
    setAnswer({ kind: 'waiting', title: 'Waiting for the hub', detail: connection.waiting.length > 0 ? 'It is in the queue of this page.' : '' });
    const reply = await socket.request('publish', read.payload).then(
      (frame) => publishedAnswer(frame, performance.now() - started_ms),
      (error: unknown) => refusedAnswer(error),
    );
    if (turn === newest.current) setAnswer(reply);
  };
  return (
    <Panel title="Publish">
      <form className="form" aria-label="Publish a message" onSubmit={(event) => {
        event.preventDefault();
        void publish();
      }}>
        <Field label="Topic" error={errors.topic}>
          {(ids) => <input {...ids} value={form.topic} spellCheck={false} autoCapitalize="none" onChange={(event) => change({ topic: event.target.value })} />}
        </Field>
        <div className="form-row">
          <Field label="Priority">
            {(ids) => (
              <select {...ids} value={form.priority} onChange={(event) => change({ priority: event.target.value })}>
                <option value="">default</option>
                {PRIORITIES.map((priority) => <option key={priority} value={priority}>{priority}</option>)}
              </select>
            )}
          </Field>
          <Field label="Key (optional)">
            {(ids) => <input {...ids} value={form.key} spellCheck={false} onChange={(event) => change({ key: event.target.value })} />}
          </Field>
        </div>
        <Field label="Data, JSON" error={errors.data}>
          {(ids) => (
            <textarea {...ids} rows={5} value={form.data} spellCheck={false} onChange={(event) => change({ data: event.target.value })}
              onKeyDown={(event) => {
                if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) event.currentTarget.form?.requestSubmit();
              }} />
          )}
        </Field>
        <div className="form-actions">
          <button type="submit" className="primary" disabled={!may_publish}><Icon name="send" size={14} />Publish</button>
          <span className="muted wide-only"><kbd>Ctrl</kbd> <kbd>Enter</kbd></span>
        </div>
        {!may_publish && <p className="muted">A viewer may read and not publish.</p>}
        <div aria-live="polite">
          {answer !== null && (
            <div className={`answer ${answer.kind}`} data-answer={answer.kind}>
              <strong>{answer.title}</strong>
              {answer.detail !== '' && <span className="muted">{answer.detail}</span>}
            </div>
          )}
        </div>
      </form>
    </Panel>
  );
}

function publishedAnswer(frame: Frame, took_ms: number): Answer {
  const payload = isObject(frame.payload) ? frame.payload : {};
  return {
    kind: 'published',
    title: `Published to ${text(payload.topic) ?? '?'} as offset ${number(payload.offset) ?? '?'}`,
    detail: `answered in ${milliseconds(took_ms)}, epoch ${text(payload.epoch) ?? '?'}`,
  };
}

function refusedAnswer(error: unknown): Answer {
  if (!(error instanceof RequestError)) return { kind: 'refused', title: 'It failed', detail: String(error) };
  const again = error.retry_after_ms === null ? (error.retryable ? ' It may work later.' : '') : ` Again in ${milliseconds(error.retry_after_ms)}.`;
  return { kind: 'refused', title: `Refused: ${error.code}`, detail: `${error.message}.${again}` };
}
