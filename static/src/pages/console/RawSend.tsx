import { useRef, useState, type ReactNode } from 'react';
import { clock, milliseconds } from '../../format/times';
import { useConnection, useServices } from '../../state/context';
import { Empty, Panel } from '../../ui/Panel';
import { Icon } from '../../ui/icons';
import { JsonText } from '../../ui/JsonText';
import { isFlowing } from '../../wire/connectionState';
import type { Frame } from '../../wire/envelope';
import { REPLY_TIMEOUT_MS, RequestError } from '../../wire/pendingRequests';
import { frameWarning, TEMPLATES, templateText } from './templates';

interface Exchange {
  readonly seq: number;
  readonly at_ms: number;
  readonly sent: string;
  readonly type: string;
  readonly state: 'waiting' | 'answered' | 'refused' | 'sent';
  readonly took_ms: number | null;
  readonly answer: string;
}

/** Exchanges that are kept on screen. */
const SHOWN = 12;
const FIRST = TEMPLATES[0]?.frame ?? {};

/** Frames written by hand, with what the hub answers. While offline a frame waits in the queue. */
export function RawSend(): ReactNode {
  const { socket } = useServices();
  const { phase } = useConnection();
  const [written, setWritten] = useState(() => templateText(FIRST));
  const [exchanges, setExchanges] = useState<readonly Exchange[]>([]);
  const seq = useRef(0);
  const warning = frameWarning(written);
  const update = (number: number, change: Partial<Exchange>): void =>
    setExchanges((before) => before.map((exchange) => (exchange.seq === number ? { ...exchange, ...change } : exchange)));
  const send = async (): Promise<void> => {
    const number = ++seq.current;
    const started_ms = performance.now();
    const { outgoing, reply } = socket.requestRaw(written);
    const state = reply === null ? 'sent' : 'waiting';
    const exchange: Exchange = { seq: number, at_ms: Date.now(), sent: outgoing.raw, type: outgoing.type || 'text', state, took_ms: null, answer: '' };
    setExchanges((before) => [exchange, ...before].slice(0, SHOWN));
    if (reply === null) {
      // An answer to text without an id names no request: the next such error is taken for it.
      const ignore = socket.tap((tap) => {
        if (tap.direction !== 'in' || tap.frame?.type !== 'error' || tap.frame.metadata.reply_to !== undefined) return;
        ignore();
        update(number, { state: 'refused', took_ms: performance.now() - started_ms, answer: answerText(tap.frame) });
      });
      setTimeout(ignore, REPLY_TIMEOUT_MS);
      return;
    }
    try {
      const frame = await reply;
      update(number, { state: 'answered', took_ms: performance.now() - started_ms, answer: answerText(frame) });
    } catch (error) {
      update(number, { state: 'refused', took_ms: performance.now() - started_ms, answer: errorText(error) });
    }
  };
  return (
    <Panel title="Send a frame" actions={(
      <select aria-label="Template" value="" onChange={(event) => {
        const template = TEMPLATES.find(({ name }) => name === event.target.value);
        if (template !== undefined) setWritten(templateText(template.frame));
      }}>
        <option value="" disabled>Template…</option>
        {TEMPLATES.map(({ name }) => <option key={name} value={name}>{name}</option>)}
      </select>
    )}>
      <form className="form" aria-label="Send a frame" onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}>
        <textarea aria-label="Frame, JSON" rows={8} value={written} spellCheck={false} aria-describedby="raw-warning" onChange={(event) => setWritten(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) event.currentTarget.form?.requestSubmit();
          }} />
        <div className="form-actions">
          <button type="submit" className="primary"><Icon name="send" size={14} />{isFlowing(phase) ? 'Send' : 'Queue'}</button>
          <span className="muted wide-only"><kbd>Ctrl</kbd> <kbd>Enter</kbd></span>
          <span id="raw-warning" className="tone-warn raw-warning">{warning === null ? '' : `${warning}. It goes out as it is.`}</span>
        </div>
      </form>
      <h3 className="sub">Answers</h3>
      {exchanges.length === 0 ? <Empty title="Nothing was sent yet"><p>Choose a template, change it, send it.</p></Empty> : (
        <ol className="exchanges" aria-live="polite" aria-label="Answers, newest first">
          {exchanges.map((exchange) => <ExchangeRow key={exchange.seq} exchange={exchange} />)}
        </ol>
      )}
    </Panel>
  );
}

const WORDS = { waiting: 'waiting', answered: 'answered', refused: 'refused', sent: 'sent' } as const;

function ExchangeRow({ exchange }: { readonly exchange: Exchange }): ReactNode {
  const { state, type, at_ms, took_ms, sent, answer } = exchange;
  const kind = state === 'refused' ? 'refused' : state === 'answered' ? 'published' : 'waiting';
  return (
    <li className={`answer ${kind}`} data-exchange={state}>
      <div className="exchange-head">
        <strong>{type}</strong>
        <span className="muted">{clock(at_ms)}</span>
        <span className={state === 'refused' ? 'tone-bad' : 'muted'}>{WORDS[state]}{took_ms === null ? '' : ` after ${milliseconds(took_ms)}`}</span>
      </div>
      <code className="muted exchange-sent" title={sent}>{sent}</code>
      {answer !== '' && <JsonText raw={answer} label={`Answer to ${type}`} />}
    </li>
  );
}

function answerText(frame: Frame): string {
  return JSON.stringify({ type: frame.type, payload: frame.payload, metadata: frame.metadata });
}

function errorText(error: unknown): string {
  if (!(error instanceof RequestError)) return String(error);
  const { code, message, retryable, retry_after_ms } = error;
  return JSON.stringify({ code, message, retryable, retry_after_ms });
}
