/**
 * The step: one entry of the stream against the state of its shard, giving rows, counts and changed bars in the open batch.
 * It must read no clock and do no I/O, so that the same entries always give the same result.
 */
import type { Entry } from '@wickstream/shared/entry-codec';
import { enterRefused } from '../ledger/ledger.ts';
import { type Batch, countCopy, quarantine } from './batch.ts';
import { stepControl } from './control-step.ts';
import { currentRun, enterHeader } from './header-step.ts';
import { stepQuote } from './quote-step.ts';
import type { ShardState } from './shard-state.ts';
import { contextOf, markSymbolOf, refuseTick, type StepContext } from './step-context.ts';
import { stepTicker } from './ticker-step.ts';
import { stepTrade } from './trade-step.ts';

/** Which items of an entry to step. Units: item indexes, `to` exclusive; `refused` are put into quarantine unseen. */
export type EntryPart = { readonly from: number; readonly to: number; readonly refused: ReadonlySet<number> };

/** Steps one whole entry. */
export function step(state: ShardState, batch: Batch, entry: Entry): void {
  stepPart(state, batch, entry, WHOLE);
}

const WHOLE: EntryPart = { from: 0, to: Number.POSITIVE_INFINITY, refused: new Set() };

/**
 * Steps some items of an entry. Only the part that reaches the entry's end moves the producer's number and the shard's clock on,
 * so that an entry stored in parts is read again until all of it is stored.
 */
export function stepPart(state: ShardState, batch: Batch, entry: Entry, part: EntryPart): void {
  const { header, items } = entry;
  const whole = part.to >= items.length;
  const known = currentRun(state, header);
  const isCopy = header.n <= (known?.n ?? 0);
  const beforeUs = known?.clockUs ?? state.clockUs;
  const run = whole ? enterHeader(state, batch, entry) : known;
  const context = contextOf(state, batch, header, run, isCopy, beforeUs);
  const end = Math.min(part.to, items.length);
  for (let i = part.from; i < end; i++) stepItem(context, items[i] as Entry['items'][number], part.refused.has(i));
  batch.ticks += end - part.from;
  if (!whole) return;
  batch.entries++;
  state.clockUs = context.clockAfterUs;
}

function stepItem(context: StepContext, item: Entry['items'][number], refused: boolean): void {
  if (refused && item.kind !== 'control' && item.kind !== 'quarantined') {
    refuseTick(context, item, 'rejected_by_database');
    return;
  }
  switch (item.kind) {
    case 'trade':
      stepTrade(context, item);
      break;
    case 'quote':
      stepQuote(context, item);
      break;
    case 'ticker':
      stepTicker(context, item);
      break;
    case 'quarantined':
      stepQuarantined(context, item);
      break;
    case 'control':
      stepControl(context, item.control);
      break;
  }
}

function stepQuarantined(context: StepContext, item: Extract<Entry['items'][number], { kind: 'quarantined' }>): void {
  const { batch, header, isCopy } = context;
  const { symbol, channel, reason, receivedAtUs, count, sample, id, lastId } = item;
  if (isCopy) {
    countCopy(batch, channel, count);
    return;
  }
  quarantine(batch, { venue: header.venue, symbol, channel, reason, receivedAtUs, count, sample, id });
  const known = context.state.symbols.get(`${header.venue}\n${symbol}`);
  if (channel !== 'trade' || known?.trade === undefined || id === null) return;
  // Whether a live trade was ahead of time is a question of our clock too: its ids stay open, and the venue's history decides.
  if (reason === 'future_time' && header.origin === 'live') return;
  const toId = lastId ?? id;
  if (!Number.isSafeInteger(id) || !Number.isSafeInteger(toId) || toId < id) return;
  enterRefused(known.trade, id, toId, receivedAtUs, header.clockUs);
  markSymbolOf(context, known, 'trade');
}
