/**
 * What ingest counts while it works: plain numbers, cheap enough for every frame.
 * It must hold bounded keys only: channels, reasons and the symbols that were asked for.
 */
import { CHANNELS, type Channel } from '@wickstream/shared/names';
import { QUARANTINE_REASONS, type QuarantineReason } from '@wickstream/shared/tick';
import { END_REASONS, type EndReason } from './stream-socket.ts';

/** A frame's channel; `other` for answers, shutdowns and what could not be told. */
export type FrameChannel = Channel | 'other';

/** The last frame of a symbol, its last trade and quote, and its highest trade id, -1 before the first. Units: ms of the monotonic clock. */
export type SymbolCount = {
  frames: number;
  lastFrameMs: number;
  lastTradeMs: number;
  lastQuoteMs: number;
  lastTradeId: number;
};

/** The counts since the start. Shape: `shed` by `<channel> <reason>`. */
export type IngestCounts = {
  readonly frames: Record<FrameChannel, number>;
  readonly quarantined: Record<QuarantineReason, number>;
  readonly reconnects: Record<EndReason, number>;
  readonly shed: Map<string, number>;
  readonly symbols: Map<string, SymbolCount>;
  appendFailures: number;
};

/** Creates counts of zero. */
export function createIngestCounts(): IngestCounts {
  return {
    frames: zeros([...CHANNELS, 'other']),
    quarantined: zeros(QUARANTINE_REASONS),
    reconnects: zeros(END_REASONS),
    shed: new Map(),
    symbols: new Map(),
    appendFailures: 0,
  };
}

function zeros<Key extends string>(keys: readonly Key[]): Record<Key, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<Key, number>;
}
