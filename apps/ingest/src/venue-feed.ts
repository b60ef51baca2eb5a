/**
 * The flow of one venue's ticks: which symbols, started or stopped, and what happens at each connect.
 * It must answer commands at once; what they cause goes on in the background.
 */
import type { Control } from '@wickstream/shared/entry-codec';
import type { Logger } from '@wickstream/shared/log';
import type { Channel } from '@wickstream/shared/names';
import type { FeedClock } from './feed-clock.ts';
import type { HeadReader } from './head-reader.ts';
import type { IngestCounts } from './ingest-counts.ts';
import type { SocketPool } from './socket-pool.ts';
import type { StreamWriter } from './stream-writer.ts';
import { isSymbol, KIND_OF_CHANNEL, type VenueAdapter, type VenueStream } from './venue.ts';
import type { VenueRest } from './venue-rest.ts';

/** Most symbols of one ingest; a further one is refused. */
export const SYMBOLS_MAX = 2000;

/** How long frames of a removed symbol are still read, to be dropped without a quarantine record. Units: ms. */
export const LEAVE_MS = 30_000;

/** A lost symbol whose last quote is as old as this has lost its quotes too. Units: ms. */
export const LOST_QUOTES_MS = 1000;

/** What became of a request to add a symbol. */
export type AddResult = 'added' | 'known' | 'invalid' | 'unknown' | 'too_many';

/** What the feed is given. Order: `streams` is filled by the feed and read by intake. */
export type VenueFeedOptions = {
  readonly adapter: VenueAdapter;
  readonly channels: readonly Channel[];
  readonly symbols: readonly string[];
  readonly streams: Map<string, VenueStream>;
  readonly clock: FeedClock;
  readonly writer: StreamWriter;
  readonly counts: IngestCounts;
  readonly pool: SocketPool;
  readonly heads: HeadReader;
  readonly rest: Pick<VenueRest, 'readStatuses'>;
  readonly log: Logger;
};

/** The controls of the flow. */
export type VenueFeed = {
  /** Starts the flow; a started one stays as it is. */
  start(): void;
  /** Closes the connections and writes the silence; a stopped one stays as it is. */
  stop(): void;
  state(): 'running' | 'stopped';
  symbols(): readonly string[];
  /** Adds a symbol, asked of the venue where it can be reached. */
  addSymbol(symbol: string): Promise<AddResult>;
  /** Removes a symbol; false when there was none. */
  removeSymbol(symbol: string): boolean;
  /** Takes what the pool says about listening. */
  takeListening(controls: readonly Control[]): void;
  /** Asks for the newest trade of every symbol, as after each connect, or of the symbols given. */
  requestHeads(symbols?: readonly string[]): void;
  /** A stream that the venue lists brings nothing: says that the symbol's quotes are not heard either, and replaces its connection. */
  takeLost(symbol: string): void;
};

/** Creates a stopped feed. Limits: SYMBOLS_MAX. */
export function createVenueFeed(options: VenueFeedOptions): VenueFeed {
  const { adapter, channels, streams, writer, counts, pool, clock, log } = options;
  const symbols = new Set<string>();
  const hasQuotes = channels.includes('bookTicker');
  const hasTrades = channels.some((channel) => KIND_OF_CHANNEL[channel] === 'trade');
  let running = false;

  const include = (symbol: string): void => {
    symbols.add(symbol);
    const nowMs = performance.now();
    const times = { lastFrameMs: nowMs, lastTradeMs: nowMs, lastQuoteMs: nowMs };
    counts.symbols.set(symbol, { frames: 0, ...times, lastTradeId: -1 });
    for (const channel of channels) streams.set(adapter.streamName({ symbol, channel }), { symbol, channel });
  };

  const connect = (): void => {
    if (running) pool.setSymbols([...symbols]);
  };

  const askHeads = (wanted: readonly string[]): void => {
    if (hasTrades && running)
      clock.onceKnown(() => options.heads.request(wanted.filter((symbol) => symbols.has(symbol))));
  };

  const addSymbol = async (symbol: string): Promise<AddResult> => {
    if (!isSymbol(symbol)) return 'invalid';
    if (symbols.has(symbol)) return 'known';
    if (symbols.size >= SYMBOLS_MAX) return 'too_many';
    if (!(await existsAtVenue(symbol))) return 'unknown';
    include(symbol);
    connect();
    log.info({ symbol, streams: namesOf(symbol) }, 'symbol added');
    return 'added';
  };

  const existsAtVenue = async (symbol: string): Promise<boolean> => {
    try {
      return (await options.rest.readStatuses([symbol])) !== undefined;
    } catch (error) {
      log.warn({ symbol, reason: String(error) }, 'the venue could not be asked for the symbol; it is taken as it is');
      return true;
    }
  };

  const namesOf = (symbol: string): string[] => channels.map((channel) => adapter.streamName({ symbol, channel }));

  const removeSymbol = (symbol: string): boolean => {
    if (!symbols.delete(symbol)) return false;
    connect();
    counts.symbols.delete(symbol);
    writer.writeControl({ kind: 'remove', symbol });
    setTimeout(() => forgetStreams(symbol), LEAVE_MS).unref();
    log.info({ symbol }, 'symbol removed');
    return true;
  };

  const forgetStreams = (symbol: string): void => {
    if (symbols.has(symbol)) return;
    for (const name of namesOf(symbol)) streams.delete(name);
  };

  const takeListening = (controls: readonly Control[]): void => {
    for (const control of controls) writer.writeControl(control);
    const begun = controls.filter((control) => control.kind === 'listen' && control.channel === 'trade');
    askHeads(begun.map((control) => control.symbol));
    const count = (kind: Control['kind']) => controls.filter((control) => control.kind === kind).length;
    log.info({ listen: count('listen'), silence: count('silence') }, 'listening changed');
  };

  const takeLost = (symbol: string): void => {
    const count = counts.symbols.get(symbol);
    if (count === undefined || !running) return;
    const agoMs = performance.now() - count.lastQuoteMs;
    // Its next quote ends that time. Where quotes flow on, only the stream of trades is lost, and the newest id says what is missing.
    if (hasQuotes && agoMs >= LOST_QUOTES_MS) {
      const tsUs = Math.round(clock.nowUs() - agoMs * 1000);
      writer.writeControl({ kind: 'silence', symbol, channel: 'quote', tsUs });
    }
    pool.renew(symbol);
    log.warn({ symbol }, 'the venue traded, but its stream brought nothing; the connection is replaced');
  };

  for (const symbol of options.symbols) include(symbol);
  return {
    start: () => {
      if (running) return;
      running = true;
      connect();
      log.info({ streams: [...symbols].flatMap(namesOf) }, 'feed started');
    },
    stop: () => {
      if (!running) return;
      pool.close();
      running = false;
      writer.releaseRefusals(true);
      log.info('feed stopped');
    },
    state: () => (running ? 'running' : 'stopped'),
    symbols: () => [...symbols],
    addSymbol,
    removeSymbol,
    takeListening,
    takeLost,
    requestHeads: (wanted = [...symbols]) => askHeads(wanted),
  };
}
