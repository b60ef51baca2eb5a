/**
 * Which ids belong to which second of the tape: running counts of trades, aggregates and quotes as functions of time.
 * It must need no state but the seed and the plan, so that any second is found without those before it.
 */
import type { TradingStatus } from './market.ts';
import { fractionOf } from './random.ts';
import type { SymbolSpec } from './symbol-list.ts';

/** Where all counts begin: 2020-01-01 UTC. Units: seconds since the epoch. */
export const TAPE_BEGIN_S = 1_577_836_800;

/** Changes to the tape that a test asked for. Units: seconds; `[fromS, toS)`. An empty `symbol` means every symbol. */
export type TapePlan = {
  /** The rate is multiplied by `factor` (0 or more) in that time; later ids move accordingly. */
  readonly surges: readonly { readonly fromS: number; readonly toS: number; readonly factor: number }[];
  /** Ids of that time were given out but hold no trade. */
  readonly voids: readonly { readonly symbol: string; readonly fromS: number; readonly toS: number }[];
  /** Times in which a symbol does not trade: no ids are given out, so none is missing afterwards. */
  readonly halts: readonly Halt[];
};

/** A time in which a symbol has another status than TRADING. Units: seconds; `toS` is infinite while it lasts. */
export type Halt = {
  readonly symbol: string;
  readonly status: Exclude<TradingStatus, 'TRADING'>;
  readonly fromS: number;
  readonly toS: number;
};

/** The ids of one symbol. Shape: `first…` is the id of the first item in or after that second. */
export type TapeIds = {
  firstTradeId(second: number): number;
  firstAggregateId(second: number): number;
  firstQuoteIndex(second: number): number;
  /** The second that holds a trade id. Limits: from TAPE_BEGIN_S to `lastS`. */
  secondOfTrade(id: number, lastS: number): number;
  /** The second that holds an aggregate id. */
  secondOfAggregate(id: number, lastS: number): number;
  /** Whether the trade begins an aggregate. */
  beginsAggregate(id: number): boolean;
};

const GROUP_TRADES = 64;
const GROUP_AGGREGATES = 24;
const CACHE_MAX = 64;
const SALT = { minute: 11, second: 12, group: 13 };

/** The ids of `spec` under `plan`. The plan may grow, but only in the future. */
export function createTapeIds(spec: SymbolSpec, plan: () => TapePlan): TapeIds {
  const minuteShares = createCache((hour) => cumulativeShares(spec.seed, hour, SALT.minute, 0.3));
  const secondShares = createCache((minute) => cumulativeShares(spec.seed, minute, SALT.second, 1.8));
  const groups = createCache((group) => aggregateStarts(spec.seed, group));

  function plainCount(second: number, perHour: number): number {
    const since = second - TAPE_BEGIN_S;
    const hour = Math.floor(since / 3600);
    const minute = Math.floor(since / 60);
    const inHour = minuteShares(hour);
    const m = minute - hour * 60;
    const before = inHour[m] as number;
    const share = before + ((inHour[m + 1] as number) - before) * (secondShares(minute)[since - minute * 60] as number);
    return hour * perHour + Math.floor(perHour * share);
  }

  function countWithSurges(second: number, perHour: number): number {
    let total = plainCount(second, perHour);
    for (const surge of plan().surges) {
      if (second <= surge.fromS) continue;
      const inside = plainCount(Math.min(second, surge.toS), perHour) - plainCount(surge.fromS, perHour);
      total += Math.floor(inside * (surge.factor - 1));
    }
    return total;
  }

  // A halt takes back what would have been counted in it, so that ids go on where they stopped.
  function count(second: number, perHour: number, isStoppedBy: (halt: Halt) => boolean): number {
    let total = countWithSurges(second, perHour);
    for (const halt of plan().halts) {
      if (halt.symbol !== spec.symbol || second <= halt.fromS || !isStoppedBy(halt)) continue;
      total -= countWithSurges(Math.min(second, halt.toS), perHour) - countWithSurges(halt.fromS, perHour);
    }
    return total;
  }

  // Seconds begin at the beginning of an aggregate, so that no aggregate lies in two seconds.
  function firstTradeIndex(second: number): number {
    const wanted = count(second, spec.tradesPerHour, () => true);
    const group = Math.floor(wanted / GROUP_TRADES);
    const rest = wanted - group * GROUP_TRADES;
    return group * GROUP_TRADES + (groups(group).find((start) => start >= rest) ?? GROUP_TRADES);
  }

  function firstAggregateIndex(second: number): number {
    const index = firstTradeIndex(second);
    const group = Math.floor(index / GROUP_TRADES);
    return group * GROUP_AGGREGATES + groups(group).indexOf(index - group * GROUP_TRADES);
  }

  // Without surges and halts every hour holds as many trades, so the hour of an id is known but for its borders.
  function guess(tradeId: number, lastS: number): { lowS: number; highS: number } {
    if (plan().surges.length + plan().halts.length > 0) return { lowS: TAPE_BEGIN_S, highS: lastS };
    const hourS = TAPE_BEGIN_S + Math.floor(tradeId / spec.tradesPerHour) * 3600;
    const borderS = 3600 * Math.ceil(1 + (2 * GROUP_TRADES) / spec.tradesPerHour);
    return {
      lowS: Math.min(lastS, Math.max(TAPE_BEGIN_S, hourS - borderS)),
      highS: Math.min(lastS, hourS + 3600 + borderS),
    };
  }

  return {
    firstTradeId: (second) => firstTradeIndex(second) + 1,
    firstAggregateId: (second) => firstAggregateIndex(second) + 1,
    firstQuoteIndex: (second) => count(second, spec.quotesPerHour, ({ status }) => status === 'BREAK'),
    secondOfTrade: (id, lastS) => lastSecondNotAbove((second) => firstTradeIndex(second) + 1, id, guess(id, lastS)),
    secondOfAggregate: (id, lastS) =>
      lastSecondNotAbove(
        (second) => firstAggregateIndex(second) + 1,
        id,
        guess((id * GROUP_TRADES) / GROUP_AGGREGATES, lastS),
      ),
    beginsAggregate: (id) => groups(Math.floor((id - 1) / GROUP_TRADES)).includes((id - 1) % GROUP_TRADES),
  };
}

/** The status of a symbol in a second. */
export function statusAt({ halts }: TapePlan, symbol: string, second: number): TradingStatus {
  const halt = halts.find((one) => one.symbol === symbol && second >= one.fromS && second < one.toS);
  return halt?.status ?? 'TRADING';
}

function lastSecondNotAbove(
  firstId: (second: number) => number,
  id: number,
  within: { lowS: number; highS: number },
): number {
  let low = within.lowS;
  let high = within.highS;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (firstId(middle) <= id) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** 61 growing shares from 0 to 1: what part of an hour lies before each minute, or of a minute before each second. */
function cumulativeShares(seed: number, index: number, salt: number, unevenness: number): Float64Array {
  const shares = new Float64Array(61);
  for (let i = 0; i < 60; i++) {
    shares[i + 1] = (shares[i] as number) + 0.2 + fractionOf(seed, index * 60 + i, salt) * unevenness;
  }
  const total = shares[60] as number;
  for (let i = 1; i <= 60; i++) shares[i] = (shares[i] as number) / total;
  return shares;
}

/** Which 24 of 64 trades begin an aggregate; the first always does. */
function aggregateStarts(seed: number, group: number): Uint8Array {
  const starts = new Uint8Array(GROUP_AGGREGATES);
  let found = 1;
  for (let i = 1; i < GROUP_TRADES && found < GROUP_AGGREGATES; i++) {
    const wanted = (GROUP_AGGREGATES - found) / (GROUP_TRADES - i);
    if (fractionOf(seed, group * GROUP_TRADES + i, SALT.group) < wanted) starts[found++] = i;
  }
  return starts;
}

function createCache<T>(make: (index: number) => T): (index: number) => T {
  const kept = new Map<number, T>();
  return (index) => {
    const known = kept.get(index);
    if (known !== undefined) return known;
    if (kept.size >= CACHE_MAX) kept.clear();
    const made = make(index);
    kept.set(index, made);
    return made;
  };
}
