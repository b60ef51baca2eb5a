/**
 * The streams that come by the clock: klines, tickers, average prices, sent when they changed.
 * It must only read the market; each frame says what the market knew at its moment.
 */
import { setImmediate } from 'node:timers/promises';
import type { Broadcast, Topic } from './broadcast.ts';
import type { Faults } from './faults.ts';
import type { Bar, Market } from './market.ts';
import {
  averagePricePayload,
  dayTickerPayload,
  klinePayload,
  miniTickerPayload,
  rollingTickerPayload,
  type TickerWindow,
} from './payloads.ts';
import { klineWindowAt, parseStream, type Stream } from './stream-names.ts';

/** The running timer. */
export type TimedStreams = { close(): void };

const MINUTE_US = 60_000_000;
const SIZES_US = { '1h': 3_600_000_000, '4h': 14_400_000_000, '1d': 86_400_000_000 } as const;
const AVERAGE_US = 5 * MINUTE_US;
const EVERY_MS = 1000;
const TURN_MS = 5;

type Sent = { lastId: number; openUs: number; lastMs: number };

/** Starts to send, each topic at its own pace; a topic still at work is not begun again. */
export function startTimedStreams(market: Market, broadcast: Broadcast, faults: Faults): TimedStreams {
  const sent = new Map<string, Sent>();
  const busy = new Set<string>();

  async function update(topic: Topic): Promise<void> {
    const stream = parseStream(topic.name);
    if (
      market.find(stream.symbol) === undefined ||
      topic.name !== topic.name.replace(/^[^@]+/, stream.symbol.toLowerCase())
    )
      return;
    const status = market.status(stream.symbol);
    if (status === 'BREAK' || (status === 'CANCEL_ONLY' && stream.kind === 'kline')) return;
    const key = `${topic.name} ${topic.unit}`;
    if (busy.has(key) || faults.settings().silentSymbols.includes(stream.symbol)) return;
    busy.add(key);
    try {
      const state = sent.get(key) ?? { lastId: -1, openUs: -1, lastMs: 0 };
      sent.set(key, state);
      if (stream.kind === 'kline') await updateKline(topic, stream, state);
      else await updateTicker(topic, stream, state);
    } finally {
      busy.delete(key);
    }
  }

  async function updateKline(topic: Topic, stream: Stream & { kind: 'kline' }, state: Sent): Promise<void> {
    const nowUs = market.nowUs();
    const window = klineWindowAt(stream.interval, nowUs);
    if (state.openUs !== -1 && state.openUs < window.openUs) {
      const ended = klineWindowAt(stream.interval, state.openUs);
      const bar = await market.bar(stream.symbol, ended.openUs, ended.closeUs, true);
      if (bar !== undefined) publish(topic, klinePayload(stream.symbol, ended, bar, true, nowUs, topic.unit));
    } else if (stream.interval !== '1s' && performance.now() - state.lastMs < 2 * EVERY_MS - 100) return;
    state.openUs = window.openUs;
    state.lastMs = performance.now();
    const bar = await market.bar(stream.symbol, window.openUs, window.closeUs, true);
    if (bar === undefined || bar.lastId === state.lastId) return;
    state.lastId = bar.lastId;
    publish(topic, klinePayload(stream.symbol, window, bar, false, nowUs, topic.unit));
  }

  async function updateTicker(topic: Topic, stream: Stream, state: Sent): Promise<void> {
    const spanUs = spanOf(stream);
    if (spanUs === undefined) return;
    const before = market.nowUs();
    await market.bar(stream.symbol, Math.floor((before - spanUs) / MINUTE_US) * MINUTE_US, before, true);
    const nowUs = market.nowUs();
    const fromUs = Math.floor((nowUs - spanUs) / MINUTE_US) * MINUTE_US;
    const bar = await market.bar(stream.symbol, fromUs, nowUs, true);
    if (bar === undefined || bar.lastId === state.lastId) return;
    state.lastId = bar.lastId;
    publish(
      topic,
      tickerPayload(market, stream, topic, {
        fromUs,
        nowUs,
        bar,
        previous: stream.kind === 'ticker' ? previousPrice(market, stream.symbol, bar) : bar.open,
      }),
    );
  }

  function publish(topic: Topic, payload: string | undefined): void {
    if (payload === undefined) return;
    broadcast.publish(topic, payload);
    broadcast.flush();
  }

  // Hundreds of topics are spread over several turns, so that ticks are not held up.
  let underWay = false;
  async function round(): Promise<void> {
    if (underWay) return;
    underWay = true;
    let turnEndsMs = performance.now() + TURN_MS;
    for (const topic of [...broadcast.topics()]) {
      if (!topic.name.includes('@kline_') && spanOf(parseStream(topic.name)) === undefined) continue;
      void update(topic);
      if (performance.now() < turnEndsMs) continue;
      await setImmediate();
      turnEndsMs = performance.now() + TURN_MS;
    }
    underWay = false;
  }

  const timer = setInterval(() => void round(), EVERY_MS);
  return { close: () => clearInterval(timer) };
}

/** How far a ticker stream looks back; undefined for other streams. Units: µs. */
function spanOf(stream: Stream): number | undefined {
  if (stream.kind === 'rolling') return SIZES_US[stream.size];
  if (stream.kind === 'ticker' || stream.kind === 'miniTicker') return SIZES_US['1d'];
  return stream.kind === 'avgPrice' ? AVERAGE_US : undefined;
}

function tickerPayload(market: Market, stream: Stream, topic: Topic, window: TickerWindow): string | undefined {
  const { symbol } = stream;
  if (stream.kind === 'rolling') return rollingTickerPayload(symbol, stream.size, window, topic.unit);
  if (stream.kind === 'miniTicker') return miniTickerPayload(symbol, window, topic.unit);
  if (stream.kind === 'avgPrice') return averagePricePayload(symbol, window, topic.unit);
  const quote = market.quote(symbol);
  return quote === undefined ? undefined : dayTickerPayload(symbol, window, quote, topic.unit);
}

/** The price of the trade before the bar, or the bar's own first price where there is none. */
export function previousPrice(market: Market, symbol: string, bar: Bar): number {
  const before = market.trades(symbol, bar.firstId - 1, 1)[0];
  return before?.id === bar.firstId - 1 ? before.price : bar.open;
}
