/**
 * The step of one ticker: new by its event time, per symbol and window.
 * It must read no clock and do no I/O.
 */
import { parseScaled } from '@wickstream/shared/decimal';
import type { Ticker } from '@wickstream/shared/tick';
import { markSymbol } from './batch.ts';
import { noteReceived, refuseTick, type StepContext, symbolOfTick } from './step-context.ts';
import { advanceNewest } from './symbol-state.ts';

const DECIMALS = [
  'priceChange',
  'priceChangePercent',
  'weightedAverage',
  'lastPrice',
  'openPrice',
  'highPrice',
  'lowPrice',
  'volume',
  'quoteVolume',
] as const;

/** Steps one ticker. */
export function stepTicker(context: StepContext, ticker: Ticker): void {
  const fault = faultOf(ticker);
  if (fault !== undefined) {
    refuseTick(context, ticker, fault);
    return;
  }
  const symbol = symbolOfTick(context, ticker);
  if (symbol === undefined) {
    refuseTick(context, ticker, 'unknown_symbol');
    return;
  }
  markSymbol(context.batch, symbol, 'ticker');
  symbol.ticker ??= { newestTsUs: Number.NEGATIVE_INFINITY, stored: 0, duplicate: 0 };
  const counts = context.counts.ticker;
  counts.received++;
  if (ticker.tsUs <= symbol.tickers[ticker.window]) {
    counts.duplicate++;
    symbol.ticker.duplicate++;
    return;
  }
  symbol.tickers[ticker.window] = ticker.tsUs;
  symbol.ticker.newestTsUs = Math.max(symbol.ticker.newestTsUs, ticker.tsUs);
  advanceNewest(symbol, ticker.tsUs);
  noteReceived(context, ticker.receivedAtUs);
  counts.stored++;
  symbol.ticker.stored++;
  context.batch.tickers.push({ venue: symbol.venue, ticker });
}

function faultOf(ticker: Ticker): string | undefined {
  if (ticker.window !== '1h' && ticker.window !== '1d') return 'unknown_stream';
  if (!Number.isSafeInteger(ticker.tsUs) || ticker.tsUs <= 0) return 'time_out_of_bounds';
  if (!Number.isSafeInteger(ticker.receivedAtUs) || !Number.isSafeInteger(ticker.totalTrades)) return 'wrong_type';
  const texts = DECIMALS.map((name) => ticker[name]);
  if (ticker.lastQuantity !== '') texts.push(ticker.lastQuantity);
  return texts.every(isDecimal) ? undefined : 'decimal_expected';
}

function isDecimal(text: string): boolean {
  try {
    parseScaled(text);
    return text !== '';
  } catch {
    return false;
  }
}
