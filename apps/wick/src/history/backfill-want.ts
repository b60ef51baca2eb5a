/**
 * Which trade ids a time range means: asks the exchange's REST for the trades at its two ends.
 * It must not fetch the trades between them: they become a gap, which repair fills.
 */
import { UsageError } from '../usage-error.ts';
import type { IdSpan } from './import-entries.ts';
import type { KnownTrades } from './known-ids.ts';

/** What is asked for. Units: ms; `toMs` exclusive, undefined for all up to what is known, else now. */
export type BackfillRange = { readonly symbol: string; readonly fromMs: number; readonly toMs: number | undefined };

/** An aggregate as the exchange gives it. Units: `T` ms. */
export type Aggregate = { readonly a: number; readonly f: number; readonly l: number; readonly T: number };

/** Asks for one aggregate: the first at or after a time, the one of an id, or the newest. Errors: UsageError. */
export type AskAggregate = (query: Readonly<Record<string, string>>) => Promise<Aggregate | undefined>;

const ANSWER_TIMEOUT_MS = 15_000;

/** Asks the REST of an exchange. Limits: one row an answer, 15 s. */
export function createAggregateAsker(url: string, symbol: string): AskAggregate {
  return async (query) => {
    const parameters = new URLSearchParams({ symbol, limit: '1', ...query });
    const answer = await fetch(`${url}/api/v3/aggTrades?${parameters}`, {
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    }).catch((error: unknown) => {
      throw new UsageError(`The exchange does not answer at ${url}; check BINANCE_REST_URL.`, 1, error);
    });
    const text = await answer.text();
    if (!answer.ok)
      throw new UsageError(`The exchange at ${url} refused with HTTP ${answer.status}: ${text.slice(0, 200)}`);
    return firstOf(text, url);
  };
}

/** Finds what to want. Shape: the time from the beginning asked for is explained only if the exchange shows what came before. Errors: UsageError. */
export async function findWanted(
  range: BackfillRange,
  known: KnownTrades | undefined,
  ask: AskAggregate,
): Promise<IdSpan> {
  const { symbol, fromMs } = range;
  const first = await ask({ startTime: String(fromMs) });
  if (first === undefined)
    throw new UsageError(`The exchange has no trades of ${symbol} from then on; choose an earlier --from.`);
  const before = first.a === 0 ? undefined : await ask({ fromId: String(first.a - 1) });
  const beginsHere = first.a === 0 || (before?.a === first.a - 1 && before.T < fromMs);
  const fromTsUs = (beginsHere ? fromMs : first.T) * 1000;
  const end = await findEnd(range, first, known, ask);
  if (end.toId < first.f) throw new UsageError(`The exchange has no trades of ${symbol} between --from and --to.`);
  return { fromId: first.f, fromTsUs, toId: end.toId, toTsUs: Math.max(fromTsUs, end.toTsUs) };
}

async function findEnd(
  { toMs }: BackfillRange,
  first: Aggregate,
  known: KnownTrades | undefined,
  ask: AskAggregate,
): Promise<Pick<IdSpan, 'toId' | 'toTsUs'>> {
  if (toMs !== undefined) {
    const after = await ask({ startTime: String(toMs) });
    if (after !== undefined) return { toId: after.f - 1, toTsUs: toMs * 1000 - 1 };
  } else if (known !== undefined && first.f < known.firstId) {
    return { toId: known.firstId - 1, toTsUs: known.firstTsUs };
  } else if (known !== undefined && first.f <= known.lastId) {
    return { toId: known.lastId, toTsUs: known.lastTsUs };
  }
  const newest = await ask({});
  return { toId: newest?.l ?? first.l, toTsUs: (newest?.T ?? first.T) * 1000 };
}

function firstOf(text: string, url: string): Aggregate | undefined {
  let rows: unknown;
  try {
    rows = JSON.parse(text);
  } catch {
    rows = undefined;
  }
  if (!Array.isArray(rows)) throw new UsageError(`What answers at ${url} gives no trades; check BINANCE_REST_URL.`);
  const [row] = rows as Partial<Aggregate>[];
  if (row === undefined) return undefined;
  const { a, f, l, T } = row;
  if ([a, f, l, T].every(Number.isSafeInteger)) return { a, f, l, T } as Aggregate;
  throw new UsageError(`What answers at ${url} gives no trades; check BINANCE_REST_URL.`);
}
