/**
 * Asks the api of a running Wickstream over HTTP.
 * It must not retry: a person waits, and the error names the mend.
 */
import { UsageError } from './usage-error.ts';

/** The api of one place. Errors: UsageError. */
export type ApiClient = {
  readonly url: string;
  get<T>(path: string): Promise<T>;
  post<T>(path: string): Promise<T>;
};

const ANSWER_TIMEOUT_MS = 10_000;

/** Creates a client. Limits: 10 s a call. */
export function createApiClient(url: string): ApiClient {
  const ask = async <T>(method: 'GET' | 'POST', path: string): Promise<T> => {
    const key = keyToSend(process.env.API_KEY, process.env.API_KEYS);
    const headers = key ? { authorization: `Bearer ${key}` } : {};
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const answer = await fetch(url + path, { method, headers, signal }).catch((error: unknown) => {
      throw new UsageError(
        `No Wickstream answers at ${url}; start one with npm start, set API_PORT, or use --api URL.`,
        1,
        error,
      );
    });
    const text = await answer.text();
    if (!answer.ok) throw new UsageError(`${url}${path} answered with HTTP ${answer.status}: ${reasonOf(text)}`);
    try {
      return JSON.parse(text === '' ? '{}' : text) as T;
    } catch (error) {
      throw new UsageError(`What answers at ${url} is no Wickstream; name its api with --api URL.`, 1, error);
    }
  };
  return { url, get: (path) => ask('GET', path), post: (path) => ask('POST', path) };
}

// An entry with a digest does not tell the key; only a plain one can be sent.
function keyToSend(key: string | undefined, entries = ''): string | undefined {
  const plain = entries
    .split(',')
    .map((entry) => entry.trim())
    .find((entry) => entry !== '' && !entry.includes(':sha256:'));
  return key?.trim() || plain;
}

function reasonOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: string } };
    return error?.message ?? text.slice(0, 300);
  } catch {
    return text.slice(0, 300);
  }
}
