/**
 * Calls to the api over HTTP: a deadline, retries of questions, and errors that say what is wrong.
 * It must not know what the calls mean, and it never repeats a call that changes something.
 */
import { isPassing, WickError } from './wick-error.ts';

/** How calls are made. Units: ms. Shape: `url` ends with a slash; `retries` are of GET alone. */
export type RestOptions = {
  readonly url: URL;
  readonly apiKey: string | undefined;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly fetch: typeof fetch;
};

/** A call's own options. Shape: `signal` ends it early. */
export type CallOptions = { readonly signal?: AbortSignal | undefined };

/** Values of a query; undefined ones are left out. */
export type QueryValues = Readonly<Record<string, string | number | undefined>>;

/** The callers. */
export type Rest = ReturnType<typeof createRest>;

/** Longest rest between two tries of a question, whatever the api asks for. Units: ms. */
export const RETRY_WAIT_MS_MAX = 10_000;

const RETRY_WAIT_MS = 300;

/** Creates the callers. Limits: `timeoutMs` a try, `retries` tries more. Errors: WickError. */
export function createRest(options: RestOptions) {
  const once = async (method: 'GET' | 'POST', url: URL, call: CallOptions): Promise<unknown> => {
    const deadline = AbortSignal.timeout(options.timeoutMs);
    const signal = call.signal === undefined ? deadline : AbortSignal.any([deadline, call.signal]);
    const headers: Record<string, string> = { accept: 'application/json' };
    if (options.apiKey !== undefined) headers.authorization = `Bearer ${options.apiKey}`;
    try {
      const answer = await options.fetch(url, { method, headers, signal });
      return readAnswer(answer, await answer.text());
    } catch (error) {
      if (error instanceof WickError) throw error;
      if (call.signal?.aborted === true) throw new WickError('closed', 'the call was ended', { cause: error });
      if (deadline.aborted) throw timeoutError(url, options.timeoutMs, error);
      throw new WickError('network', `nothing answers at ${url.origin}; see whether it runs`, { cause: error });
    }
  };

  const ask = async (url: URL, call: CallOptions): Promise<unknown> => {
    for (let tries = 0; ; tries++) {
      try {
        return await once('GET', url, call);
      } catch (error) {
        if (!(error instanceof WickError) || !isPassing(error) || tries >= options.retries) throw error;
        await rest(error.retryAfterMs ?? RETRY_WAIT_MS * 2 ** tries, call.signal);
      }
    }
  };

  return {
    /** Asks a question. Errors: WickError. */
    get: <T>(path: string, query: QueryValues, call: CallOptions = {}) =>
      ask(urlOf(options.url, path, query), call) as Promise<T>,
    /** Gives an order, once. Errors: WickError. */
    post: <T>(path: string, call: CallOptions = {}) => once('POST', urlOf(options.url, path, {}), call) as Promise<T>,
  };
}

function urlOf(base: URL, path: string, query: QueryValues): URL {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

function readAnswer(answer: Response, text: string): unknown {
  const body = parse(text);
  if (answer.ok && body !== undefined) return body;
  const { status } = answer;
  const error = (body as { error?: { code?: unknown; message?: unknown; param?: unknown } } | undefined)?.error;
  if (typeof error?.code !== 'string') {
    throw new WickError('no_wickstream', `HTTP ${status} from something that is no Wickstream; check the URL`, {
      status,
    });
  }
  const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN);
  throw new WickError(error.code, String(error.message), {
    status,
    param: typeof error.param === 'string' ? error.param : undefined,
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function timeoutError(url: URL, timeoutMs: number, cause: unknown): WickError {
  return new WickError('timeout', `${url.pathname} was not answered in ${timeoutMs} ms; ask for less, or again`, {
    cause,
  });
}

// Ends early when the caller gives up; the next try then says so.
function rest(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, Math.min(ms, RETRY_WAIT_MS_MAX));
    signal?.addEventListener('abort', end, { once: true });
    function end(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    }
  });
}
