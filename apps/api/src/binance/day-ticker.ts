/**
 * The 24-hour statistics of symbols: the venue's own newest ticker with the newest quote, or the last 1,440 minutes of bars.
 * It must not shape answers.
 */
import { floorMinute, MINUTE_US } from '@wickstream/shared/bar';
import { addDecimals, compareDecimals, formatScaled, parseScaled, powerOfTen } from '@wickstream/shared/decimal';
import { parseWindowing } from '@wickstream/shared/interval';
import type { CandleAnswers } from '../candle-answer.ts';
import type { SymbolMemory } from '../live-symbol.ts';
import type { LatestDayTicker, LatestQuote } from '../read-rows.ts';
import type { Reads } from '../reads.ts';

/** The statistics of one symbol. Units: µs; decimals canonical. Shape: `previousClose` is the open price, as no price before it is stored. */
export type DayTicker = {
  readonly symbol: string;
  readonly change: string;
  readonly changePercent: string;
  readonly average: string;
  readonly previousClose: string;
  readonly last: string;
  readonly lastQuantity: string;
  readonly bid: string;
  readonly bidQuantity: string;
  readonly ask: string;
  readonly askQuantity: string;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly volume: string;
  readonly quoteVolume: string;
  readonly openUs: number;
  readonly closeUs: number;
  readonly firstId: number;
  readonly lastId: number;
  readonly trades: number;
};

const DAY_US = 1440 * MINUTE_US;
const DAY_EACH_MINUTE = parseWindowing('1440m', '1m');
const NO_QUOTE = { bid: '0', bidQuantity: '0', ask: '0', askQuantity: '0' };

/** Reads statistics. */
export type DayTickers = ReturnType<typeof createDayTickers>;

/** Creates the reader. Order: as the symbols given; those without any trade or ticker are left out. Errors: those of the reads. */
export function createDayTickers(
  reads: Pick<Reads, 'latestQuotes' | 'latestDayTickers' | 'trades'>,
  answers: Pick<CandleAnswers, 'answer'>,
) {
  const fromBars = async (one: SymbolMemory, quote: LatestQuote | undefined): Promise<DayTicker | undefined> => {
    if (!Number.isFinite(one.newestTsUs)) return undefined;
    const openUs = floorMinute(one.newestTsUs) - DAY_US + MINUTE_US;
    const query = { windowing: DAY_EACH_MINUTE, limit: 1, fromUs: openUs, toUs: openUs + 1 } as const;
    const { candles } = await answers.answer(one, 'trade', { ...query, fill: 'none', closedOnly: false });
    const [newest] = await reads.trades({
      ...nameOf(one),
      limit: 1,
      fromUs: undefined,
      toUs: undefined,
      afterId: undefined,
    });
    const [candle] = candles;
    if (candle === undefined) return undefined;
    const { symbol } = one;
    const { open, high, low, close: last, volume, quoteVolume, trades } = candle;
    return {
      ...{ symbol, open, high, low, last, volume, quoteVolume, trades, previousClose: open },
      ...changeOf(open, last),
      average: candle.vwap ?? '0',
      lastQuantity: newest?.quantity ?? '0',
      ...(quote ?? NO_QUOTE),
      ...{ openUs, closeUs: Math.max(one.newestTsUs, openUs) },
      ...idsOf(newest?.lastId ?? null, trades),
    };
  };

  return async (list: readonly SymbolMemory[]): Promise<DayTicker[]> => {
    const venue = list[0]?.venue;
    if (venue === undefined) return [];
    const symbols = list.map((one) => one.symbol);
    const [tickers, quotes] = await Promise.all([
      reads.latestDayTickers(venue, symbols),
      reads.latestQuotes(venue, symbols),
    ]);
    const found: DayTicker[] = [];
    for (const one of list) {
      const ticker = tickers.find((row) => row.symbol === one.symbol);
      const quote = quotes.find((row) => row.symbol === one.symbol);
      const made = ticker === undefined ? await fromBars(one, quote) : fromTicker(ticker, quote);
      if (made !== undefined) found.push(made);
    }
    return found;
  };
}

function fromTicker(ticker: LatestDayTicker, quote: LatestQuote | undefined): DayTicker {
  return {
    symbol: ticker.symbol,
    ...{ change: ticker.priceChange, changePercent: ticker.priceChangePercent, average: ticker.weightedAverage },
    ...{ last: ticker.lastPrice, lastQuantity: ticker.lastQuantity ?? '0', previousClose: ticker.openPrice },
    ...{ open: ticker.openPrice, high: ticker.highPrice, low: ticker.lowPrice },
    ...{ volume: ticker.volume, quoteVolume: ticker.quoteVolume, trades: ticker.totalTrades },
    ...(quote ?? NO_QUOTE),
    ...{ openUs: ticker.tsUs - DAY_US, closeUs: ticker.tsUs },
    ...idsOf(ticker.lastTradeId, ticker.totalTrades),
  };
}

// A venue counts by ids: the first one follows from the last one and the count.
function idsOf(lastId: number | null, trades: number): { firstId: number; lastId: number } {
  return lastId === null ? { firstId: -1, lastId: -1 } : { firstId: Math.max(0, lastId - trades + 1), lastId };
}

function changeOf(open: string, last: string): { change: string; changePercent: string } {
  const change = addDecimals(last, compareDecimals(open, '0') === 0 ? '0' : `-${open}`);
  const [a, b] = [parseScaled(change), parseScaled(open)];
  if (b.value === 0n) return { change, changePercent: '0' };
  const scale = Math.max(a.scale, b.scale);
  const above = a.value * powerOfTen(scale - a.scale) * 100_000n * 2n;
  const below = b.value * powerOfTen(scale - b.scale);
  const rounded = (above / below + (above < 0n ? -1n : 1n)) / 2n;
  return { change, changePercent: formatScaled(rounded, 3) };
}

function nameOf({ venue, symbol }: SymbolMemory): { venue: string; symbol: string } {
  return { venue, symbol };
}
