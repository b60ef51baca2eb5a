/**
 * The step of one trade: checked, judged by the ledger, entered into its bar.
 * It must read no clock and do no I/O.
 */
import { addTradeToBar } from '@wickstream/shared/bar';
import { parseScaled, type Scaled } from '@wickstream/shared/decimal';
import type { Trade } from '@wickstream/shared/tick';
import {
  AGGREGATE_IDS_MAX,
  createTradeLedger,
  enterTrade,
  opensEpoch,
  type TradeLedger,
  type TradeVerdict,
} from '../ledger/ledger.ts';
import { addRange, isOpenEnded, subtractRange } from '../ledger/time-ranges.ts';
import { countCopy, markSymbol } from './batch.ts';
import { changedBar, noteReceived, noteTick, refuseTick, type StepContext, symbolOfTick } from './step-context.ts';
import { advanceNewest, type SymbolState } from './symbol-state.ts';

/** Steps one trade. */
export function stepTrade(context: StepContext, trade: Trade): void {
  const price = positiveOf(trade.price);
  const quantity = positiveOf(trade.quantity);
  const fault = faultOf(trade) ?? retentionFault(context, trade);
  if (fault !== undefined) {
    refuseTick(context, trade, fault);
    return;
  }
  if (price === undefined || quantity === undefined) {
    refuseTick(context, trade, 'decimal_expected');
    return;
  }
  const symbol = symbolOfTick(context, trade);
  if (symbol === undefined) {
    refuseTick(context, trade, 'unknown_symbol');
    return;
  }
  if (context.isCopy && isOfOtherEpoch(symbol.trade, trade)) {
    countCopy(context.batch, 'trade', 1);
    return;
  }
  const verdict = judge(context, symbol, trade);
  const ledger = symbol.trade as TradeLedger;
  if (verdict !== 'new' && verdict !== 'duplicate') {
    symbol.held++;
    refuseTick(context, trade, verdict, false);
    return;
  }
  markSymbol(context.batch, symbol, 'trade');
  if (verdict === 'duplicate' && symbol.recent.contradicts(trade)) {
    refuseTick(context, trade, 'conflicting_trade', false);
    return;
  }
  const counts = context.counts.trade;
  counts.received++;
  if (verdict === 'duplicate') {
    counts.duplicate++;
    ledger.duplicate++;
    return;
  }
  counts.stored++;
  ledger.stored++;
  store(context, symbol, ledger, trade, price, quantity);
}

function faultOf(trade: Trade): string | undefined {
  const { id, lastId, tsUs, receivedAtUs } = trade;
  if (!Number.isSafeInteger(id) || !Number.isSafeInteger(lastId) || id < 0) return 'id_out_of_range';
  if (lastId < id || lastId - id >= AGGREGATE_IDS_MAX) return 'id_out_of_range';
  if (!Number.isSafeInteger(tsUs) || tsUs <= 0 || !Number.isSafeInteger(receivedAtUs)) return 'time_out_of_bounds';
  return undefined;
}

// The bars of days that retention has dropped are final; a live trade that old would be stored beside them, never in them.
function retentionFault({ header, state, clockAfterUs }: StepContext, { tsUs }: Trade): string | undefined {
  return header.origin === 'live' && tsUs < clockAfterUs - state.keptUs ? 'below_retention' : undefined;
}

/** Reads a decimal above zero; undefined when the text is not one. */
export function positiveOf(text: string): Scaled | undefined {
  try {
    const number = parseScaled(text);
    return number.value > 0n ? number : undefined;
  } catch {
    return undefined;
  }
}

// A copy was judged before, and the ledger knows every id it held. What lies outside was numbered before the venue restarted its ids, or is
// still held back: the ledger of today has nothing to say of it.
function isOfOtherEpoch(ledger: TradeLedger | undefined, { id, lastId, tsUs }: Trade): boolean {
  if (ledger === undefined) return false;
  return lastId > ledger.lastId || id < ledger.firstId || (ledger.epoch > 0 && tsUs < ledger.firstTsUs);
}

function judge(context: StepContext, symbol: SymbolState, trade: Trade): TradeVerdict {
  const { batch, header } = context;
  const { id, lastId, tsUs } = trade;
  const ledger = symbol.trade;
  if (ledger === undefined) {
    symbol.trade = createTradeLedger(0, id, lastId, tsUs, tsUs);
    addRange(symbol.unobserved.trade, Number.NEGATIVE_INFINITY, tsUs);
    return 'new';
  }
  if (opensEpoch(ledger, id, tsUs, header.origin)) {
    batch.ended.push({ symbol, channel: 'trade', ledger });
    symbol.olderGaps.push(...ledger.gaps.list.filter((gap) => gap.state === 'open'));
    addRange(symbol.unobserved.trade, ledger.lastTsUs, tsUs);
    symbol.trade = createTradeLedger(ledger.epoch + 1, id, lastId, tsUs, tsUs);
    return 'new';
  }
  const { lastId: lastIdBefore, lastTsUs: lastTsBeforeUs } = ledger;
  const verdict = enterTrade(ledger, id, lastId, tsUs, header.origin, header.clockUs);
  if (verdict === 'new' && header.origin === 'live' && id > lastIdBefore) explainSilence(symbol, lastTsBeforeUs, tsUs);
  return verdict;
}

/**
 * Takes the time after `fromUs`, up to `toUs`, out of the unobserved times of trades: the ids at both ends are known, so whatever is missing
 * there is a gap now. A time without end ends with it. Units: µs.
 */
export function explainSilence(symbol: SymbolState, fromUs: number, toUs: number): void {
  const ranges = symbol.unobserved.trade;
  const newest = ranges.list.at(-1);
  if (newest === undefined || newest.toUs <= fromUs) return;
  // Listening begins by the receiver's clock, so trades may follow that are older than it: each explains its own part.
  subtractRange(ranges, fromUs + 1, isOpenEnded(ranges) ? Number.POSITIVE_INFINITY : toUs);
}

function store(
  context: StepContext,
  symbol: SymbolState,
  ledger: TradeLedger,
  trade: Trade,
  price: Scaled,
  quantity: Scaled,
): void {
  const { tsUs, id, lastId, buyerMaker } = trade;
  noteTick(context, symbol, 'trade', tsUs);
  if (tsUs > ledger.newestTsUs) ledger.newestTsUs = tsUs;
  advanceNewest(symbol, tsUs);
  noteReceived(context, trade.receivedAtUs);
  symbol.recent.add(trade);
  context.batch.trades.push({ venue: symbol.venue, trade });
  const bar = changedBar(context, symbol, 'trade', tsUs);
  if (bar !== undefined) addTradeToBar(bar, tsUs, id, lastId, price, quantity, buyerMaker);
}
