/**
 * Calls to the other processes over HTTP: ingest, aggregators, the simulated exchange.
 * It must not trust their answers: each has a deadline and a size.
 */
import { ApiError } from './api-error.ts';

const DEADLINE_MS = 2_000;
const POST_DEADLINE_MS = 10_000;
const BYTES_MAX = 1024 * 1024;

/** One other process. */
export type Upstream = ReturnType<typeof createUpstream>;

/** Creates the caller of a process. Limits: DEADLINE_MS, BYTES_MAX. Errors: ApiError 503 when it does not answer, and its own refusals. */
export function createUpstream(name: string, baseUrl: string) {
  const call = async (
    method: 'GET' | 'POST',
    path: string,
    authorization?: string,
  ): Promise<Record<string, unknown>> => {
    const unavailable = (why: string) =>
      new ApiError(503, 'upstream_unavailable', `${name} ${why}; see whether it runs`, { retryAfterS: 2 });
    const answer = await fetch(new URL(path, baseUrl), {
      method,
      redirect: 'error',
      signal: AbortSignal.timeout(method === 'GET' ? DEADLINE_MS : POST_DEADLINE_MS),
      ...(authorization !== undefined && { headers: { authorization } }),
    }).catch(() => {
      throw unavailable('does not answer');
    });
    const text = await readText(answer).catch(() => {
      throw unavailable('broke off its answer');
    });
    const body = parse(text);
    if (answer.status === 401) throw new ApiError(401, 'unauthorized', `${name} wants a key; give API_KEYS to both`);
    if (answer.status === 403) throw new ApiError(403, 'forbidden', `${name} refused the key; give API_KEYS to both`);
    if (!answer.ok || body === undefined) throw unavailable(`answered with HTTP ${answer.status}`);
    return body;
  };
  return {
    name,
    get: (path: string) => call('GET', path),
    post: (path: string, authorization?: string) => call('POST', path, authorization),
  };
}

async function readText(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > BYTES_MAX) throw new RangeError('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = text === '' ? {} : JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
