/**
 * The few REST calls that ingest makes to Binance: the time, the newest trade, which symbols exist and trade.
 * It must not page through history (that is repair's work) and it trusts no answer's shape.
 *
 * Source: https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md
 */
import { readStatuses } from '@wickstream/shared/trading-status';
import { isId } from '../refusal.ts';
import type { NewestTrade, VenueRest } from '../venue-rest.ts';
import { RestError } from '../venue-rest.ts';

const DEADLINE_MS = 5000;
const ANSWER_LENGTH_MAX = 4 * 1024 * 1024;
/** Invalid symbol; illegal characters. */
const NO_SYMBOL = [-1121, -1100];

/** Creates the client of one base address. Limits: 5 s and 4 MiB an answer, no redirects. */
export function createBinanceRest(baseUrl: string): VenueRest {
  const base = baseUrl.replace(/\/+$/, '');
  return {
    /** `{"serverTime":1499827319559}`; weight 1. */
    readServerTimeMs: async () => {
      const { serverTime } = toFields(await get(`${base}/api/v3/time`));
      if (typeof serverTime === 'number') return serverTime;
      throw new RestError('the venue sent a time without serverTime', 0, 0, 0);
    },
    /** `[{"id":28457,"price":"4.00000100","qty":"12.00000000","quoteQty":"48.000012","time":1499865549590,"isBuyerMaker":true,"isBestMatch":true}]`; weight 25. */
    readNewestTrade: async (symbol) => {
      const trades = await get(`${base}/api/v3/trades?symbol=${encodeURIComponent(symbol)}&limit=1`);
      return Array.isArray(trades) ? toNewestTrade(toFields(trades.at(-1))) : undefined;
    },
    /**
     * `{"symbols":[{"symbol":"ETHBTC","status":"TRADING","baseAsset":"ETH",…}],…}`; one symbol that does not exist, or that cannot be
     * one, spoils it: 400 `{"code":-1121,"msg":"Invalid symbol."}`; weight 20.
     */
    readStatuses: async (symbols) => {
      const list = encodeURIComponent(JSON.stringify(symbols));
      try {
        return parseStatuses(await get(`${base}/api/v3/exchangeInfo?symbols=${list}&showPermissionSets=false`));
      } catch (error) {
        if (error instanceof RestError && NO_SYMBOL.includes(error.venueCode)) return undefined;
        throw error;
      }
    },
  };
}

/** Reads the statuses of an `exchangeInfo`, by symbol: TRADING, END_OF_DAY, HALT, BREAK, CANCEL_ONLY. Shape: pure; what cannot be read is left out. */
export function parseStatuses(body: unknown): ReadonlyMap<string, string> {
  return readStatuses(toFields(body).symbols);
}

function toNewestTrade({ id, time }: Fields): NewestTrade | undefined {
  if (typeof id !== 'number' || typeof time !== 'number' || !isId(id) || !isId(time * 1000)) return undefined;
  return { id, tsUs: time * 1000 };
}

async function get(url: string): Promise<unknown> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(DEADLINE_MS), redirect: 'error' });
  const text = await answer.text();
  if (text.length > ANSWER_LENGTH_MAX) throw new RestError('the venue sent an answer that is too large', 0, 0, 0);
  if (answer.ok) return JSON.parse(text);
  const { code } = toFields(readJson(text));
  const retryAfterMs = Number(answer.headers.get('retry-after') ?? 0) * 1000 || 0;
  throw new RestError(
    `the venue answered ${answer.status}`,
    answer.status,
    typeof code === 'number' ? code : 0,
    retryAfterMs,
  );
}

type Fields = Readonly<Record<string, unknown>>;

function toFields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
