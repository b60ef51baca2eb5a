/**
 * The gate before the database: bounds how many queries wait, gives each a deadline, and names what can go wrong.
 * It must not know any SQL.
 */
import { ApiError } from './api-error.ts';

/** Queries that may run or wait at once; one more is refused with 429. */
export const QUERIES_MAX = 64;

/** A query that has not answered by then is given up: a half-open connection never answers. */
export const QUERY_DEADLINE_MS = 10_000;

const UNAVAILABLE =
  /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN|CONNECTION_|CONNECT_TIMEOUT|08|57P0|53|28|3D000)/;

/** Runs queries within the limits. */
export type QueryGate = ReturnType<typeof createQueryGate>;

/** Creates a gate. Errors: ApiError 429 when full, 503 when the database is down, slow or half-open. */
export function createQueryGate(options: { queriesMax?: number; deadlineMs?: number } = {}) {
  const { queriesMax = QUERIES_MAX, deadlineMs = QUERY_DEADLINE_MS } = options;
  let running = 0;
  return async <T>(query: () => PromiseLike<T>): Promise<T> => {
    if (running >= queriesMax) {
      const message = 'too many questions wait for the database; try again in a second';
      throw new ApiError(429, 'too_many_requests', message, { retryAfterS: 1 });
    }
    running++;
    let timer: NodeJS.Timeout | undefined;
    try {
      const deadline = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(unavailable()), deadlineMs);
      });
      return await Promise.race([query(), deadline]);
    } catch (error) {
      throw queryErrorOf(error);
    } finally {
      clearTimeout(timer);
      running--;
    }
  };
}

function queryErrorOf(error: unknown): unknown {
  const { code = '', severity } = (error ?? {}) as { code?: string; severity?: string };
  if (code === '57014') {
    const message = 'the database took too long; ask for a shorter range, fewer rows or a longer interval';
    return new ApiError(503, 'query_too_slow', message, { retryAfterS: 1 });
  }
  if (code === '54000') {
    return new ApiError(
      400,
      'range_too_large',
      'the range has too many steps; ask for a shorter range or a longer hop',
    );
  }
  // A FATAL error ends the connection: the server stops, starts, is full or does not let us in.
  return severity === 'FATAL' || UNAVAILABLE.test(code) ? unavailable() : error;
}

function unavailable(): ApiError {
  const message = 'the database does not answer; recent candles still do, try this again in a moment';
  return new ApiError(503, 'database_unavailable', message, { retryAfterS: 2 });
}
