/**
 * The ticks that market sockets are pushed: after each commit it reads the rows that were stored, so nothing else can be shown.
 * It must not know sockets; it asks the database only for symbols that somebody listens to.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@wickstream/shared/log';
import { symbolKey } from '../live-base.ts';
import type { LiveChange, LiveMemory } from '../live-memory.ts';
import type { FollowedTable, FollowedTrade, QuoteRow, TickPlace } from '../read-rows.ts';
import { FOLLOWED_ROWS_MAX, type Reads } from '../reads.ts';
import type { DayTickers } from './day-ticker.ts';
import type { TickChannel } from './stream-name.ts';
import { dayTickerPayload, type Payload, quotePayload, tradePayload } from './stream-payloads.ts';

/** Between two readings of one channel, at least. Units: ms. */
export const READ_GAP_MS = { trade: 10, bookTicker: 10, ticker: 200 } as const;

/** After a reading that failed. Units: ms. */
const RETRY_MS = 500;

const TABLES: Record<TickChannel, FollowedTable> = { trade: 'trades', bookTicker: 'quotes', ticker: 'ticker_1d' };
const SOURCES = { trade: 'trade', bookTicker: 'mid', ticker: undefined } as const;

type Watch = {
  readonly channel: TickChannel;
  readonly symbol: string;
  readonly shard: number;
  readonly listeners: Set<(payloads: readonly Payload[]) => void>;
  place: TickPlace | undefined;
  dirty: boolean;
};

/** What the feed needs. */
export type TickFeedParts = {
  readonly memory: Pick<LiveMemory, 'find'>;
  readonly reads: Pick<Reads, 'newestPlaces' | 'ticksAfter'>;
  readonly dayTickers: DayTickers;
  readonly venue: string;
  readonly log: Logger;
};

/** The ticks of all symbols that somebody listens to. */
export type TickFeed = ReturnType<typeof createTickFeed>;

/** Creates the feed. Order: each channel of a symbol by time and id; rows stored later with an earlier time are not pushed. Limits: one reading of a channel at a time. */
export function createTickFeed(parts: TickFeedParts) {
  const { reads, venue } = parts;
  const watches = new Map<string, Watch>();
  const running = new Set<TickChannel>();
  const closing = new AbortController();

  const of = (channel: TickChannel): Watch[] => [...watches.values()].filter((one) => one.channel === channel);
  const pause = (ms: number) => delay(ms, undefined, { signal: closing.signal }).catch(() => undefined);

  // A follower of trades begins after the newest; of quotes and tickers it is told the newest at once.
  const begin = async (channel: TickChannel, fresh: readonly Watch[]): Promise<void> => {
    const symbols = fresh.map((one) => one.symbol);
    const places = await reads.newestPlaces(TABLES[channel], venue, symbols);
    for (const one of fresh) {
      const found = places.find((place) => place.symbol === one.symbol) ?? { symbol: one.symbol, tsUs: 0, id: 0 };
      one.place = channel === 'trade' ? found : { ...found, tsUs: found.tsUs - 1, id: Number.MAX_SAFE_INTEGER };
      if (channel !== 'trade') one.dirty = true;
    }
  };

  const payloadsOf = async (channel: TickChannel, rows: readonly TickPlace[]): Promise<Payload[]> => {
    if (channel === 'trade') return (rows as readonly FollowedTrade[]).map(tradePayload);
    if (channel === 'bookTicker') return (rows as readonly (QuoteRow & TickPlace)[]).map(quotePayload);
    const one = rows[0] && parts.memory.find(venue, rows[0].symbol);
    return one === undefined ? [] : (await parts.dayTickers([one])).map(dayTickerPayload);
  };

  const readOnce = async (channel: TickChannel): Promise<void> => {
    const fresh = of(channel).filter((one) => one.place === undefined);
    if (fresh.length > 0) await begin(channel, fresh);
    const dirty = of(channel).filter((one) => one.dirty && one.place !== undefined);
    if (dirty.length === 0) return;
    for (const one of dirty) one.dirty = false;
    const places = dirty.map((one) => one.place as TickPlace);
    const rows = Map.groupBy(await reads.ticksAfter<TickPlace>(TABLES[channel], venue, places), (row) => row.symbol);
    for (const one of dirty) {
      const own = rows.get(one.symbol) ?? [];
      const last = own.at(-1);
      if (last === undefined) continue;
      const payloads = await payloadsOf(channel, own);
      one.place = { symbol: last.symbol, tsUs: last.tsUs, id: last.id };
      if (own.length >= FOLLOWED_ROWS_MAX) one.dirty = true;
      for (const listener of one.listeners) listener(payloads);
    }
  };

  const run = async (channel: TickChannel): Promise<void> => {
    if (running.has(channel)) return;
    running.add(channel);
    while (!closing.signal.aborted && of(channel).some((one) => one.dirty || one.place === undefined)) {
      try {
        await readOnce(channel);
        await pause(READ_GAP_MS[channel]);
      } catch (error) {
        parts.log.debug({ channel, reason: String(error) }, 'ticks cannot be read, trying again');
        for (const one of of(channel)) one.dirty = true;
        await pause(RETRY_MS);
      }
    }
    running.delete(channel);
  };

  const mark = (shard: number, isChanged: (one: Watch) => boolean): void => {
    const channels = new Set<TickChannel>();
    for (const one of watches.values()) {
      if (one.shard !== shard || !isChanged(one)) continue;
      one.dirty = true;
      channels.add(one.channel);
    }
    for (const channel of channels) void run(channel);
  };

  return {
    /** Pushes a channel's ticks to a listener from now on; gives what ends it. */
    listen(channel: TickChannel, symbol: string, shard: number, listener: (payloads: readonly Payload[]) => void) {
      const key = `${channel} ${symbol}`;
      const known = watches.get(key);
      const watch: Watch = known ?? { channel, symbol, shard, listeners: new Set(), place: undefined, dirty: false };
      watches.set(key, watch);
      watch.listeners.add(listener);
      void run(channel);
      return (): void => {
        watch.listeners.delete(listener);
        if (watch.listeners.size === 0 && watches.get(key) === watch) watches.delete(key);
      };
    },
    /** Takes note of a commit. */
    notice(change: LiveChange): void {
      mark(change.shard, (one) => {
        const source = SOURCES[one.channel];
        const symbol = change.symbols.get(symbolKey(venue, one.symbol));
        return source === undefined || symbol?.[source] !== undefined;
      });
    },
    /** Takes note that a shard's base was loaded: anything may have been stored. */
    refresh: (shard: number): void => mark(shard, () => true),
    close: (): void => closing.abort(),
  };
}
