/**
 * The klines that market sockets are pushed: candles of a topic with empty windows flat and trade ids, shared by all who listen.
 * It must not know sockets, nor decide what a candle is.
 */
import type { Bar } from '@wickstream/shared/bar';
import type { Candle } from '@wickstream/shared/candle';
import { closedThrough } from '@wickstream/shared/candle';
import type { Windowing } from '@wickstream/shared/interval';
import { lowerBound } from '../bar-windows.ts';
import { fillFlat, flatWindows, lastWindowOf } from '../candle-query.ts';
import type { CandleTopic } from '../candle-topic.ts';
import type { CandleTopics } from '../candle-topics.ts';
import type { LiveMemory } from '../live-memory.ts';
import type { Reads } from '../reads.ts';
import { windowsOf } from './stream-name.ts';
import { klinePayload, type Payload } from './stream-payloads.ts';

/** A topic that rests is looked at again after this. Units: ms. */
const RETRY_MS = 20;

type Ids = { readonly firstId: number; readonly lastId: number };
type Item = {
  readonly openTime: number;
  readonly closed: boolean;
  readonly body: string;
  readonly seq: number;
  readonly payload: Payload;
};

/** What the feeds need. */
export type KlineFeedParts = {
  readonly topics: CandleTopics;
  readonly memory: LiveMemory;
  readonly reads: Pick<Reads, 'tradeIdsIn'>;
  readonly venue: string;
};

/** The klines of one symbol and windowing. */
export type KlineFeed = ReturnType<typeof createKlineFeed>;

/** All feeds. */
export type KlineFeeds = ReturnType<typeof createKlineFeeds>;

/** Creates the set of feeds. Limits: those of the topics. */
export function createKlineFeeds(parts: KlineFeedParts) {
  const feeds = new Map<CandleTopic, KlineFeed>();
  return {
    /** The feed of a name; undefined when too much is subscribed. Errors: ApiError 404 for an unknown symbol. */
    open(symbol: string, windowing: Windowing): KlineFeed | undefined {
      const limit = windowsOf(windowing) + 1;
      const topic = parts.topics.open({ venue: parts.venue, symbol, source: 'trade', windowing, limit });
      if (topic === undefined) return undefined;
      const known = feeds.get(topic) ?? createKlineFeed(topic, parts);
      feeds.set(topic, known);
      return known;
    },
    /** Says that a listener has gone. */
    release(feed: KlineFeed): void {
      if (feed.listeners > 0) return;
      feed.close();
      feeds.delete(feed.topic);
      parts.topics.release(feed.topic);
    },
    /** Tells the feeds of a shard that a commit came; its clock may have closed or opened a window. */
    notice(shard: number): void {
      for (const feed of feeds.values()) if (feed.topic.shard === shard) feed.notice();
    },
  };
}

/** Creates a feed on a topic. Order: windows by time. Limits: the topic's candles. */
export function createKlineFeed(topic: CandleTopic, { memory, reads }: KlineFeedParts) {
  const { venue, symbol, windowing, limit } = topic.name;
  const { interval, hopText } = windowing;
  const name = { symbol, interval: interval.text, hop: hopText === interval.text ? undefined : hopText };
  const query = { windowing, limit, fromUs: undefined, toUs: undefined, fill: 'flat', closedOnly: false } as const;
  const listeners = new Set<() => void>();
  const olderIds = new Map<number, Ids | undefined>();
  let items: readonly Item[] = [];
  let seq = 0;
  let progress = '';
  let retry: NodeJS.Timeout | undefined;

  const rows = (): Candle[] => {
    const one = memory.find(venue, symbol);
    if (one === undefined) return [];
    const knowledge = one.knowledgeOf('trade', memory.clockUs(one.shard), memory.graceUs);
    if (!Number.isFinite(knowledge.watermarkUs)) return [];
    const windows = flatWindows(query, lastWindowOf(query, knowledge.watermarkUs, knowledge.graceUs));
    const firstTime = (windows[0]?.openUs ?? 0) / 1000;
    const candles = topic.candles();
    const before = candles.findLast((candle) => candle.openTime < firstTime)?.close;
    const inside = candles.filter((candle) => candle.openTime >= firstTime);
    return fillFlat(inside, windows, before, knowledge);
  };

  // Bars that the memory has dropped are asked of the database, once for each window.
  const idsOf = (candle: Candle): Ids | undefined => {
    const series = memory.find(venue, symbol)?.series.trade;
    if (series === undefined || candle.trades === 0) return { firstId: -1, lastId: -1 };
    const [openUs, closeUs] = [candle.openTime * 1000, candle.closeTime * 1000];
    const newer = idsInBars(series.bars, Math.max(openUs, series.fromUs), closeUs);
    if (openUs >= series.fromUs) return newer;
    const older = olderIds.get(openUs);
    if (older !== undefined) return mergeIds(older, newer);
    if (!olderIds.has(openUs)) void askOlder(openUs, Math.min(closeUs, series.fromUs));
    return undefined;
  };

  const askOlder = async (openUs: number, toUs: number): Promise<void> => {
    olderIds.set(openUs, undefined);
    try {
      const { firstId, lastId } = await reads.tradeIdsIn(venue, symbol, openUs, toUs);
      olderIds.set(openUs, { firstId: firstId ?? -1, lastId: lastId ?? -1 });
      progress = '';
      if (topic.isCurrent()) refresh();
    } catch {
      // The next commit asks again.
      olderIds.delete(openUs);
    }
  };

  const refresh = (): void => {
    const one = memory.find(venue, symbol);
    const eventUs = one === undefined ? 0 : Math.max(memory.clockUs(one.shard), one.newestTsUs);
    const known = new Map(items.map((item) => [item.openTime, item]));
    let changed = false;
    const next: Item[] = [];
    for (const candle of rows()) {
      const ids = idsOf(candle);
      const old = known.get(candle.openTime);
      const { complete: _, revision: __, vwap: ___, ...values } = candle;
      const body = JSON.stringify([values, ids]);
      if (ids === undefined || old?.body === body) {
        if (old !== undefined) next.push(old);
        continue;
      }
      changed = true;
      const { openTime, closed } = candle;
      const payload = klinePayload(candle, { ...name, ...ids, closed, eventUs });
      next.push({ openTime, closed, body, seq: seq + 1, payload });
    }
    items = next;
    if (!changed) return;
    seq++;
    for (const listener of listeners) listener();
  };

  /** Looks whether time has opened or closed a window. */
  const notice = (): void => {
    const one = memory.find(venue, symbol);
    if (one === undefined) return;
    // A topic that rests knows less than the clock: a window would look empty that is not.
    if (!topic.isCurrent()) {
      retry ??= setTimeout(() => {
        retry = undefined;
        notice();
      }, RETRY_MS);
      return;
    }
    const watermarkUs = Math.max(memory.clockUs(one.shard), one.newestTsUs);
    if (!Number.isFinite(watermarkUs)) return;
    const last = lastWindowOf(query, watermarkUs, memory.graceUs);
    const now = `${last.openUs} ${closedThrough(watermarkUs, memory.graceUs)}`;
    if (now === progress) return;
    progress = now;
    // What lies before the memory may have been repaired since.
    olderIds.clear();
    refresh();
  };

  const stop = topic.listen(refresh);
  topic.ready.then(refresh, () => undefined);
  return {
    topic,
    ready: topic.ready,
    get seq() {
      return seq;
    },
    notice,
    /** The klines that changed after a position. Order: oldest first. */
    after: (position: number): Payload[] => items.filter((item) => item.seq > position).map((item) => item.payload),
    /** The klines that are open now, or the newest one. */
    current(): Payload[] {
      const open = items.filter((item) => !item.closed);
      return (open.length > 0 ? open : items.slice(-1)).map((item) => item.payload);
    },
    listen(listener: () => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get listeners() {
      return listeners.size;
    },
    close(): void {
      clearTimeout(retry);
      stop();
    },
  };
}

function idsInBars(bars: readonly Bar[], fromUs: number, toUs: number): Ids {
  let [firstId, lastId] = [-1, -1];
  for (let i = lowerBound(bars, fromUs); i < bars.length; i++) {
    const bar = bars[i] as Bar;
    if (bar.bucketUs >= toUs) break;
    firstId = firstId === -1 ? bar.firstId : Math.min(firstId, bar.firstId);
    lastId = Math.max(lastId, bar.lastId);
  }
  return { firstId, lastId };
}

function mergeIds(older: Ids, newer: Ids): Ids {
  if (older.firstId === -1) return newer;
  return { firstId: older.firstId, lastId: Math.max(older.lastId, newer.lastId) };
}
