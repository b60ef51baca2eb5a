/**
 * What ingest asks of an exchange: the shape of an adapter and of what it makes out of a frame.
 * It must hold types and naming rules only; each exchange has one parser file in `venues/`.
 */
import type { Channel } from '@wickstream/shared/names';
import type { ChannelKind, Quarantined, Tick } from '@wickstream/shared/tick';

/** The kind of tick that a channel carries. */
export const KIND_OF_CHANNEL: Readonly<Record<Channel, ChannelKind>> = {
  trade: 'trade',
  aggTrade: 'trade',
  bookTicker: 'quote',
  ticker_1h: 'ticker',
  ticker_1d: 'ticker',
};

/** One stream of the venue that we asked for. */
export type VenueStream = { readonly symbol: string; readonly channel: Channel };

/**
 * What a parser is handed besides the frame. Order: `streams` by the venue's stream name.
 * Units: µs; `nowUs` is the feed's time, `stampUs` the time of a tick for which the venue sends none.
 */
export type FrameContext = {
  readonly streams: ReadonlyMap<string, VenueStream>;
  readonly receivedAtUs: number;
  readonly nowUs: number;
  readonly stampUs: number;
};

/** The venue's answer to a control message; `error` is null when it was accepted. */
export type VenueReply = {
  readonly kind: 'reply';
  readonly id: number | null;
  readonly result: unknown;
  readonly error: string | null;
};

/** The venue says that it will close this connection. */
export type VenueShutdown = { readonly kind: 'shutdown' };

/** A frame that holds nothing but a time: a replay that has reached the end of its day. */
export type VenueClock = { readonly kind: 'clock' };

/** What one frame means. */
export type ParsedFrame = Tick | Quarantined | VenueReply | VenueShutdown | VenueClock;

/** A control message to the venue. */
export type ControlMethod = 'SUBSCRIBE' | 'UNSUBSCRIBE' | 'LIST_SUBSCRIPTIONS';

/** Turns frames into ticks and names into streams. Errors: no method throws. */
export type VenueAdapter = {
  /** The venue's name for a stream. */
  streamName(stream: VenueStream): string;
  /** The address of a connection that carries `streams` from its first frame on. */
  streamUrl(baseUrl: string, streams: readonly string[]): string;
  /** The text of a control message. */
  controlMessage(method: ControlMethod, id: number, streams: readonly string[]): string;
  /** The receive time that a replayed frame carries. Units: µs. */
  readReceivedAtUs(text: string): number | undefined;
  /** Reads one frame. */
  parseFrame(text: string, context: FrameContext): ParsedFrame;
};

/** Longest symbol that is accepted. Units: UTF-16 code units. */
export const SYMBOL_LENGTH_MAX = 40;

// Commas and control characters would break the stream codec; the other marks are never in a venue's names and invite injection.
const SYMBOL = /^[^\s,\p{C}@/{}*'"`;\\<>?#%&]+$/u;

/** Whether a text can be a symbol. Limits: SYMBOL_LENGTH_MAX; Unicode letters are allowed. */
export function isSymbol(text: string): boolean {
  return text.length <= SYMBOL_LENGTH_MAX && text.isWellFormed() && SYMBOL.test(text);
}
