/**
 * The one error of the client: what went wrong, as a code that programs compare and a message that says the mend.
 * It must not carry secrets: neither keys nor headers.
 */

/** The api's codes, and the client's own: `network`, `timeout`, `no_wickstream` (what answers is something else), `closed`. */
export type WickErrorCode =
  | ('body_too_large' | 'database_unavailable' | 'forbidden' | 'internal' | 'invalid_parameter' | 'not_found')
  | ('not_ready' | 'query_too_slow' | 'range_too_large' | 'too_many_requests' | 'unauthorized' | 'unknown_symbol')
  | ('upgrade_required' | 'upstream_unavailable')
  | ('invalid_message' | 'duplicate_id' | 'unknown_id' | 'too_many_subscriptions' | 'too_many_topics')
  | ('network' | 'timeout' | 'no_wickstream' | 'closed')
  | (string & {});

/** What is known of an error. Units: `retryAfterMs` in ms. Shape: `status` is 0 where there was no HTTP answer. */
export type WickErrorFacts = {
  readonly status?: number | undefined;
  readonly param?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
};

/** Everything the client throws or reports. */
export class WickError extends Error {
  override readonly name = 'WickError';
  /** What programs compare. */
  readonly code: WickErrorCode;
  /** The HTTP status; 0 where there was no answer. */
  readonly status: number;
  /** The parameter at fault, where the api names one. */
  readonly param: string | undefined;
  /** How long the api asks to wait. */
  readonly retryAfterMs: number | undefined;
  constructor(code: WickErrorCode, message: string, facts: WickErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.status = facts.status ?? 0;
    this.param = facts.param;
    this.retryAfterMs = facts.retryAfterMs;
  }
}

const PASSING: ReadonlySet<string> = new Set(
  ['database_unavailable', 'internal', 'network', 'not_ready', 'query_too_slow', 'timeout'].concat([
    'too_many_requests',
    'too_many_topics',
    'upstream_unavailable',
  ]),
);

/** Whether the same question may be answered a moment later: the server is busy, starting or away. */
export function isPassing(error: WickError): boolean {
  return PASSING.has(error.code);
}
