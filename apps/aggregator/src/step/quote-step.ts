/**
 * The step of one best quote: checked, judged by the quote ledger, entered into its mid bar.
 * It must read no clock and do no I/O.
 */
import { addQuoteToBar } from '@wickstream/shared/bar';
import { compareScaled, type Scaled } from '@wickstream/shared/decimal';
import type { Quote } from '@wickstream/shared/tick';
import { createQuoteLedger, enterQuote, opensQuoteEpoch, type QuoteLedger } from '../ledger/quote-ledger.ts';
import { addRange, isOpenEnded } from '../ledger/time-ranges.ts';
import { markSymbol } from './batch.ts';
import { endUnobserved } from './header-step.ts';
import { listeningKey, unheardParts } from './producer-run.ts';
import { changedBar, noteReceived, noteTick, refuseTick, type StepContext, symbolOfTick } from './step-context.ts';
import { advanceNewest, type SymbolState } from './symbol-state.ts';
import { positiveOf } from './trade-step.ts';

/** Steps one quote. */
export function stepQuote(context: StepContext, quote: Quote): void {
  const bid = positiveOf(quote.bid);
  const ask = positiveOf(quote.ask);
  const fault = faultOf(quote, bid, ask);
  if (fault !== undefined || bid === undefined || ask === undefined) {
    refuseTick(context, quote, fault ?? 'decimal_expected');
    return;
  }
  const symbol = symbolOfTick(context, quote);
  if (symbol === undefined) {
    refuseTick(context, quote, 'unknown_symbol');
    return;
  }
  const ledger = ledgerOf(context, symbol, quote);
  // A copy of an entry that was followed before is known to be stored or refused, however old it is and however the venue numbers by now.
  const verdict = context.isCopy ? 'duplicate' : enterQuote(ledger, quote.id, quote.tsUs);
  if (verdict === 'late_quote') {
    noteLate(context, symbol, quote);
    refuseTick(context, quote, verdict);
    return;
  }
  markSymbol(context.batch, symbol, 'quote');
  const counts = context.counts.quote;
  counts.received++;
  if (verdict !== 'new') {
    counts.duplicate++;
    ledger.duplicate++;
    return;
  }
  counts.stored++;
  ledger.stored++;
  store(context, symbol, quote, bid, ask);
}

// A quote that comes too late to be stored was not heard in time by its run; unless another run heard that moment, nobody did.
function noteLate({ state, batch, run }: StepContext, symbol: SymbolState, { tsUs }: Quote): void {
  const key = listeningKey(symbol.symbol, 'quote');
  const heard = unheardParts(state.producers.values(), symbol.venue, key, tsUs, tsUs, run).length === 0;
  run?.listening.set(key, Math.max(tsUs + 1, run.listening.get(key) ?? 0));
  if (heard) return;
  const secondUs = Math.floor(tsUs / 1e6) * 1e6;
  addRange(symbol.unobserved.quote, secondUs, secondUs + 1e6);
  markSymbol(batch, symbol);
}

function faultOf(quote: Quote, bid: Scaled | undefined, ask: Scaled | undefined): string | undefined {
  if (!Number.isSafeInteger(quote.id) || quote.id < 0) return 'id_out_of_range';
  if (!Number.isSafeInteger(quote.tsUs) || quote.tsUs <= 0) return 'time_out_of_bounds';
  if (!Number.isSafeInteger(quote.receivedAtUs)) return 'time_out_of_bounds';
  if (bid === undefined || ask === undefined) return 'decimal_expected';
  return compareScaled(bid, ask) > 0 ? 'crossed_quote' : undefined;
}

function ledgerOf(context: StepContext, symbol: SymbolState, quote: Quote): QuoteLedger {
  const known = symbol.quote;
  if (known === undefined) {
    addRange(symbol.unobserved.quote, Number.NEGATIVE_INFINITY, quote.tsUs);
    symbol.quote = createQuoteLedger(0);
    return symbol.quote;
  }
  if (!opensQuoteEpoch(known, quote.id, quote.tsUs, context.header.origin)) return known;
  context.batch.ended.push({ symbol, channel: 'quote', ledger: known });
  symbol.quote = createQuoteLedger(known.epoch + 1);
  return symbol.quote;
}

function store(context: StepContext, symbol: SymbolState, quote: Quote, bid: Scaled, ask: Scaled): void {
  const { tsUs, id } = quote;
  const unheard = symbol.unobserved.quote;
  // An older quote, from a run that is behind, says nothing of the time after it.
  if (context.header.origin === 'live' && isOpenEnded(unheard) && tsUs > (unheard.list.at(-1)?.fromUs ?? 0)) {
    endUnobserved(context.state, context.batch, symbol, 'quote', tsUs, context.run);
  }
  noteTick(context, symbol, 'mid', tsUs);
  advanceNewest(symbol, tsUs);
  noteReceived(context, quote.receivedAtUs);
  context.batch.quotes.push({ venue: symbol.venue, quote });
  const bar = changedBar(context, symbol, 'mid', tsUs);
  if (bar !== undefined) addQuoteToBar(bar, tsUs, id, bid, ask);
}
