/** A refused or failed request: `application/problem+json` of the hub, or the network's failure (`status` 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly code: string | null,
    readonly correlation_id: string | null,
    readonly retry_after_s: number | null,
    /** Every bad field: a JSON pointer into what was sent, and what is wrong with it. */
    readonly errors: readonly FieldError[] = [],
    /** All that the problem says, its own members included. */
    readonly members: Readonly<Record<string, unknown>> = {},
  ) {
    super(detail === '' ? title : detail);
    this.name = 'ApiError';
  }

  get unreachable(): boolean {
    return this.status === 0;
  }
}

export interface FieldError {
  readonly pointer: string;
  readonly detail: string;
}

interface Problem {
  errors?: FieldError[];
  title?: string;
  detail?: string;
  code?: string;
  correlation_id?: string;
}

/** Reads the error out of a response that is not 2xx. */
export async function problemOf(response: Response): Promise<ApiError> {
  let problem: Problem = {};
  try {
    problem = (await response.json()) as Problem;
  } catch {
    // A proxy in between may answer in HTML; the status still says what happened.
  }
  const retry_after_s = Number(response.headers.get('retry-after'));
  return new ApiError(
    response.status,
    problem.title ?? (response.statusText || `HTTP ${response.status}`),
    problem.detail ?? '',
    problem.code ?? null,
    problem.correlation_id ?? null,
    Number.isFinite(retry_after_s) && retry_after_s > 0 ? retry_after_s : null,
    problem.errors ?? [],
    { ...problem },
  );
}

export function unreachable(): ApiError {
  return new ApiError(0, 'The hub cannot be reached', '', null, null, null);
}

export function messageOf(error: unknown): string {
  if (error instanceof ApiError) return error.detail === '' ? error.title : `${error.title}: ${error.detail}`;
  return error instanceof Error ? error.message : 'Something went wrong';
}
