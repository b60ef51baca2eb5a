/**
 * The step of one control item: what ingest, repair or an operator tells the ledger through the stream.
 * It must read no clock and do no I/O.
 */
import type { Control } from '@wickstream/shared/entry-codec';
import { createTradeLedger, enterHead, enterWanted, settleGaps, type TradeLedger } from '../ledger/ledger.ts';
import { addRange, isOpenEnded, subtractRange } from '../ledger/time-ranges.ts';
import { countsOf, markProducer, markSymbol, quarantine } from './batch.ts';
import { becomeLive, endUnobserved, markUnobserved } from './header-step.ts';
import { breakListening, lastHeardUs, listeningKey, type ProducerRun, startListening } from './producer-run.ts';
import { symbolOf } from './shard-state.ts';
import type { StepContext } from './step-context.ts';
import type { SymbolState } from './symbol-state.ts';
import { explainSilence } from './trade-step.ts';

const FOREVER = Number.POSITIVE_INFINITY;

type ControlOf<Kind extends Control['kind']> = Extract<Control, { kind: Kind }>;

/** Steps one control item. A control that makes no sense is quarantined; one in a copy was obeyed before. */
export function stepControl(context: StepContext, control: Control): void {
  if (context.isCopy) return;
  if (!isSound(control)) {
    refuse(context, control);
    return;
  }
  switch (control.kind) {
    case 'head':
      stepHead(context, control);
      break;
    case 'want':
      stepWant(context, control);
      break;
    case 'empty':
      settle(context, control.symbol, control.fromId, control.toId, 'confirmed');
      break;
    case 'unwanted':
      settle(context, control.symbol, control.fromId, control.toId, 'unwanted');
      break;
    case 'listen':
      stepListen(context, control);
      break;
    case 'silence':
      stepSilence(context, control.symbol, control.channel, control.tsUs);
      break;
    case 'shed':
      stepShed(context, control);
      break;
    case 'remove':
      for (const channel of ['trade', 'quote', 'ticker'] as const) {
        stepSilence(context, control.symbol, channel, context.header.clockUs);
      }
      break;
    default:
      refuse(context, control);
  }
}

function isSound(control: Control): boolean {
  const numbers = Object.values(control).filter((value) => typeof value === 'number');
  if (typeof control.symbol !== 'string' || !numbers.every((value) => Number.isSafeInteger(value) && value >= 0)) {
    return false;
  }
  return !('fromId' in control) || control.fromId <= control.toId;
}

function refuse({ batch, header }: StepContext, control: Control): void {
  const sample = JSON.stringify(control).slice(0, 512);
  const row = { venue: header.venue, symbol: '', channel: 'unknown' as const, reason: 'wrong_type', sample };
  quarantine(batch, { ...row, receivedAtUs: header.clockUs, count: 1, id: null });
}

function knownSymbol({ state, header }: StepContext, symbol: string): SymbolState | undefined {
  return state.symbols.get(`${header.venue}\n${symbol}`);
}

// A symbol without a ledger needs no head: its first trade marks all the time before it.
function stepHead(context: StepContext, { symbol: name, id, tsUs }: ControlOf<'head'>): void {
  const symbol = knownSymbol(context, name);
  const ledger = symbol?.trade;
  if (symbol === undefined || ledger === undefined || id < ledger.lastId) return;
  const { clockUs } = context.header;
  const lastTsBeforeUs = ledger.lastTsUs;
  const wasOpenEnded = isOpenEnded(symbol.unobserved.trade);
  enterHead(ledger, id, tsUs, clockUs);
  explainSilence(symbol, lastTsBeforeUs, clockUs);
  // The venue's newest id explains the time up to now; that somebody listens again is for `listen` or a trade to say.
  if (wasOpenEnded) addRange(symbol.unobserved.trade, Math.max(clockUs, ledger.lastTsUs + 1), FOREVER);
  markSymbol(context.batch, symbol, 'trade');
}

function stepWant(context: StepContext, control: ControlOf<'want'>): void {
  const { header, state, batch } = context;
  const { fromId, toId, fromTsUs, toTsUs } = control;
  const symbol = symbolOf(state, header.venue, control.symbol);
  if (symbol === undefined || fromTsUs > toTsUs) {
    refuse(context, control);
    return;
  }
  const unobserved = symbol.unobserved.trade;
  if (symbol.trade === undefined) {
    symbol.trade = emptyLedger(control, header.clockUs);
    addRange(unobserved, Number.NEGATIVE_INFINITY, fromTsUs - 1);
    // What comes after it is observed only by somebody who listens; without one, nobody knows until `listen` or a trade.
    const heardUs = lastHeardUs(state.producers.values(), header.venue, listeningKey(control.symbol, 'trade'));
    markUnobserved(state, batch, symbol, toTsUs + 1, heardUs === undefined ? FOREVER : state.clockUs, ['trade']);
  } else {
    const { firstId, firstTsUs } = symbol.trade;
    enterWanted(symbol.trade, fromId, toId, fromTsUs, toTsUs, header.clockUs);
    // Ids that reach up to the first one known leave no time between them unexplained.
    subtractRange(unobserved, fromTsUs, toId >= firstId - 1 ? Math.max(toTsUs, firstTsUs) : toTsUs);
  }
  markSymbol(batch, symbol, 'trade');
}

function emptyLedger({ fromId, toId, fromTsUs, toTsUs }: ControlOf<'want'>, atUs: number): TradeLedger {
  const ledger = createTradeLedger(0, fromId, fromId - 1, fromTsUs, fromTsUs);
  enterWanted(ledger, fromId, toId, fromTsUs, toTsUs, atUs);
  return ledger;
}

function settle(
  context: StepContext,
  name: string,
  fromId: number,
  toId: number,
  state: 'confirmed' | 'unwanted',
): void {
  const symbol = knownSymbol(context, name);
  if (symbol?.trade === undefined) return;
  const gaps = settleGaps(symbol.trade, fromId, toId, state);
  // Trades that nobody will fetch are missing for good: their time is as good as never observed.
  for (const gap of state === 'unwanted' ? gaps : []) {
    addRange(symbol.unobserved.trade, gap.fromTsUs ?? Number.NEGATIVE_INFINITY, gap.toTsUs ?? symbol.trade.lastTsUs);
  }
  markSymbol(context.batch, symbol, 'trade');
}

function stepListen(context: StepContext, { symbol: name, channel, tsUs }: ControlOf<'listen'>): void {
  const { run, state, batch } = context;
  if (run === undefined) return;
  becomeLive(state, batch, run);
  const key = listeningKey(name, channel);
  const heardUs = lastHeardUs(state.producers.values(), run.venue, key, run);
  startListening(run, key, tsUs);
  markProducer(batch, run);
  const symbol = knownSymbol(context, name);
  if (symbol === undefined || channel === 'ticker') return;
  if (isOpenEnded(symbol.unobserved[channel])) endUnobserved(state, batch, symbol, channel, tsUs, run);
  // Whoever listened before may have ended without a word; from what it heard last on, nobody did.
  else if (heardUs !== undefined) markUnobserved(state, batch, symbol, heardUs, tsUs, [channel]);
  markSymbol(batch, symbol);
}

function stepSilence(context: StepContext, name: string, channel: 'trade' | 'quote' | 'ticker', tsUs: number): void {
  const { run, state, batch } = context;
  if (run === undefined) return;
  forgetListening(run, name, channel, knownSymbol(context, name));
  markProducer(batch, run);
  const symbol = knownSymbol(context, name);
  if (symbol === undefined || channel === 'ticker') return;
  markUnobserved(state, batch, symbol, tsUs, FOREVER, [channel]);
}

function forgetListening(
  run: ProducerRun,
  name: string,
  channel: 'trade' | 'quote' | 'ticker',
  symbol: SymbolState | undefined,
): void {
  run.listening.delete(listeningKey(name, channel));
  if (symbol !== undefined) symbol.listeners[channel] = undefined;
}

// What was shed of trades shows as a gap; of quotes, shed or conflated, only the time since the last entry is known.
function stepShed(context: StepContext, control: ControlOf<'shed'>): void {
  const { batch, run, state, header, beforeUs } = context;
  const counts = countsOf(batch, control.channel);
  counts.received += control.count + control.conflated;
  counts.shed += control.count;
  counts.conflated += control.conflated;
  const symbol = knownSymbol(context, control.symbol);
  if (symbol === undefined || run === undefined || control.channel !== 'quote') return;
  breakListening(run, header.clockUs + 1);
  // The shard's clock is no measure: another producer may have moved it past the quotes that this one gave up.
  markUnobserved(state, batch, symbol, beforeUs, header.clockUs, ['quote']);
}
