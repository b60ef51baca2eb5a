/**
 * How an input is refused: the bounds every venue shares and the record that goes to quarantine.
 * It must stay pure, and never keep more of an input than a bounded sample.
 */
import { type Quarantined, type QuarantineReason, SAMPLE_LENGTH_MAX } from '@wickstream/shared/tick';
import { type FrameContext, KIND_OF_CHANNEL, type VenueStream } from './venue.ts';

/** How far a tick's time may be ahead of the clock. Units: µs. */
export const AHEAD_MAX_US = 10_000_000;

/** Earliest plausible tick time: 2009-01-03, when there was nothing to trade yet. Units: ms. */
export const TIME_MIN_MS = 1_230_940_800_000;

/** Latest plausible tick time: the largest whose µs are a safe integer. Units: ms. */
export const TIME_MAX_MS = Math.floor(Number.MAX_SAFE_INTEGER / 1000);

/** An event of a stream that we asked for, while it is read. */
export type Frame = { readonly text: string; readonly stream: VenueStream; readonly context: FrameContext };

/** Refuses an event of a known stream; `id`…`lastId` are the trades it named, so that the ledger knows that they came. */
export function refuseEvent(
  reason: QuarantineReason,
  frame: Frame,
  id: number | null = null,
  lastId: number | null = null,
): Quarantined {
  const { symbol, channel } = frame.stream;
  return {
    ...refuseInput(reason, frame.text, frame.context.receivedAtUs),
    symbol,
    channel: KIND_OF_CHANNEL[channel],
    id,
    lastId,
  };
}

/** Refuses an input of which nothing else is known. */
export function refuseInput(reason: QuarantineReason, text: string, receivedAtUs: number): Quarantined {
  const sample = sampleOf(text);
  return {
    kind: 'quarantined',
    symbol: '',
    channel: 'unknown',
    reason,
    id: null,
    lastId: null,
    count: 1,
    receivedAtUs,
    sample,
  };
}

/** The part of an input that is kept: storable as text, so without NUL and half characters. Limits: SAMPLE_LENGTH_MAX. */
function sampleOf(text: string): string {
  return text.slice(0, SAMPLE_LENGTH_MAX).toWellFormed().replaceAll('\0', '\ufffd');
}

/** Why a value that should have been a field of another type is refused. */
export function fieldFault(value: unknown): QuarantineReason {
  return value === undefined ? 'missing_field' : 'wrong_type';
}

/** Why a tick's time is refused, if it is. Units: `timeMs` ms, `nowUs` µs. */
export function timeFault(timeMs: number, nowUs: number): QuarantineReason | undefined {
  if (!Number.isInteger(timeMs) || timeMs < TIME_MIN_MS || timeMs > TIME_MAX_MS) return 'time_out_of_bounds';
  return timeMs * 1000 > nowUs + AHEAD_MAX_US ? 'future_time' : undefined;
}

/** Whether a number can be an id or a count: a safe integer that is not negative. */
export function isId(id: number): boolean {
  return id >= 0 && Number.isSafeInteger(id);
}
