import { isObject, number, text, type Frame } from './envelope';

/** The hub answered with an `error` frame, or the answer cannot come any more. */
export class RequestError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly retryable: boolean,
    readonly retry_after_ms: number | null,
  ) {
    super(message);
    this.name = 'RequestError';
  }
}

interface Waiting {
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: RequestError) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

export const REPLY_TIMEOUT_MS = 10_000;

/** Requests on the wire, matched to their replies by `metadata.reply_to`. */
export class PendingRequests {
  private readonly waiting = new Map<string, Waiting>();

  expect(id: string): Promise<Frame> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new RequestError('timeout', 'The hub did not answer in time', true, null));
      }, REPLY_TIMEOUT_MS);
      this.waiting.set(id, { resolve, reject, timer });
    });
  }

  /** Settles the request that `frame` answers; false when it answers none. */
  settle(frame: Frame): boolean {
    const id = text(frame.metadata.reply_to);
    if (id === null) return false;
    const waiting = this.take(id);
    if (waiting === undefined) return false;
    if (frame.type === 'error') waiting.reject(errorOf(frame));
    else waiting.resolve(frame);
    return true;
  }

  fail(id: string, error: RequestError): void {
    this.take(id)?.reject(error);
  }

  /** The socket is gone: whether the hub acted on these is unknown, so they are not sent again. */
  failAll(error: RequestError): void {
    for (const id of [...this.waiting.keys()]) this.fail(id, error);
  }

  private take(id: string): Waiting | undefined {
    const waiting = this.waiting.get(id);
    if (waiting !== undefined) {
      this.waiting.delete(id);
      clearTimeout(waiting.timer);
    }
    return waiting;
  }
}

function errorOf(frame: Frame): RequestError {
  const payload = isObject(frame.payload) ? frame.payload : {};
  return new RequestError(
    text(payload.code) ?? 'unknown',
    text(payload.message) ?? 'The hub refused the request',
    payload.retryable === true,
    number(payload.retry_after_ms),
  );
}
