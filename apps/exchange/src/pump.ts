/**
 * The live tape: sends each trade, aggregate and quote of subscribed symbols when its time has come.
 * It must send nothing twice or out of order of its own accord; faults may.
 */

import { countBefore } from './block-bar.ts';
import type { Broadcast, Topic } from './broadcast.ts';
import { conflictingPayload, type Faults } from './faults.ts';
import type { Aggregate } from './market.ts';
import { aggregatePayload, quotePayload, type TimeUnit, tradePayload } from './payloads.ts';
import { fractionOf, seedOfText } from './random.ts';
import type { SymbolSpec } from './symbol-list.ts';
import type { QuoteBlock, TradeBlock } from './tape.ts';
import { aggregatesOfBlock, quoteOf, type TapeMarket, tradeOf } from './tape-market.ts';

/** A running pump. */
export type Pump = {
  /** Sends once more, untouched by faults, what the last seconds brought. */
  again(seconds: number): void;
  /** Takes up the clock anew after it was set; what it passes a second time is sent a second time. */
  restart(): void;
  close(): void;
};

const EVERY_MS = 8;
const SECOND_US = 1_000_000;
const UNITS: readonly TimeUnit[] = ['ms', 'us'];
/** After a stall or a suspended machine, what is older is not sent any more; REST has it. */
const BEHIND_US_MAX = 10_000_000;

type Cursor = { sentUs: number };

/** Starts to send. */
export function startPump(market: TapeMarket, broadcast: Broadcast, faults: Faults): Pump {
  const cursors = new Map<SymbolSpec, Cursor>();

  type Send = (topic: Topic, symbol: string, id: number, payload: string) => void;

  function publish(send: Send, name: string, symbol: string, id: number, payload: (unit: TimeUnit) => string): void {
    for (const unit of UNITS) {
      const topic = broadcast.topic(name, unit);
      if (topic !== undefined) send(topic, symbol, id, payload(unit));
    }
  }

  function publishWithFate(topic: Topic, symbol: string, id: number, payload: string): void {
    const fate = faults.fateOf(symbol, topic.name, id);
    if (fate === 'drop') return;
    if (typeof fate === 'object') {
      broadcast.publish(topic, fate.apply(payload));
      return;
    }
    if (fate === 'late') {
      const { reorderMs, delayMs } = faults.settings();
      const waitMs = reorderMs > 0 ? reorderMs * fractionOf(seedOfText(topic.name), id) : delayMs;
      setTimeout(() => broadcast.publish(topic, payload), waitMs).unref();
      return;
    }
    broadcast.publish(topic, payload);
    if (fate === 'twice') broadcast.publish(topic, payload);
    if (fate === 'conflict') broadcast.publish(topic, conflictingPayload(payload));
  }

  function wants(name: string): boolean {
    return broadcast.topic(name, 'ms') !== undefined || broadcast.topic(name, 'us') !== undefined;
  }

  function sendSymbol(spec: SymbolSpec, nowUs: number): void {
    const cursor = cursors.get(spec) ?? { sentUs: nowUs };
    cursors.set(spec, cursor);
    const fromUs = Math.max(cursor.sentUs, nowUs - BEHIND_US_MAX);
    cursor.sentUs = Math.max(cursor.sentUs, nowUs);
    sendSpan(spec, fromUs, nowUs, publishWithFate);
  }

  function sendSpan(spec: SymbolSpec, fromUs: number, toUs: number, send: Send): void {
    const lower = spec.symbol.toLowerCase();
    const names = { trade: `${lower}@trade`, aggregate: `${lower}@aggTrade`, quote: `${lower}@bookTicker` };
    const wanted = { trade: wants(names.trade), aggregate: wants(names.aggregate), quote: wants(names.quote) };
    if (!wanted.trade && !wanted.aggregate && !wanted.quote) return;
    for (let second = Math.floor(fromUs / SECOND_US); second <= Math.floor(toUs / SECOND_US); second++) {
      sendSecond(spec, second, { fromUs, toUs, names, wanted, send });
    }
  }

  type Span = {
    readonly fromUs: number;
    readonly toUs: number;
    readonly names: Record<'trade' | 'aggregate' | 'quote', string>;
    readonly wanted: Record<'trade' | 'aggregate' | 'quote', boolean>;
    readonly send: Send;
  };

  function sendSecond(spec: SymbolSpec, second: number, { fromUs, toUs, names, wanted, send }: Span): void {
    const takers = wanted.trade || wanted.aggregate;
    const trades = takers ? market.tradeBlock(spec.symbol, second) : undefined;
    const quotes = wanted.quote ? market.quoteBlock(spec.symbol, second) : undefined;
    const aggregates = wanted.aggregate && trades !== undefined ? waitingAggregates(spec, trades) : [];
    let t = trades === undefined ? 0 : countBefore(trades, fromUs);
    let q = quotes === undefined ? 0 : countBefore(quotes, fromUs);
    let a = aggregates.findIndex((aggregate) => aggregate.timeUs >= fromUs);
    if (a === -1) a = aggregates.length;
    for (;;) {
      const tradeUs = timeAt(trades, t);
      const quoteUs = timeAt(quotes, q);
      if (Math.min(tradeUs, quoteUs) >= toUs) break;
      if (quotes !== undefined && quoteUs <= tradeUs) {
        const quote = quoteOf(spec, quotes, q++);
        publish(send, names.quote, spec.symbol, quote.id, () => quotePayload(spec.symbol, quote));
      } else if (trades !== undefined) {
        const trade = tradeOf(spec, trades, t++);
        const tradeText = (unit: TimeUnit): string => tradePayload(spec.symbol, trade, unit);
        if (wanted.trade) publish(send, names.trade, spec.symbol, trade.id, tradeText);
        const aggregate = aggregates[a];
        if (aggregate?.lastId !== trade.id) continue;
        a++;
        const text = (unit: TimeUnit): string => aggregatePayload(spec.symbol, aggregate, unit);
        publish(send, names.aggregate, spec.symbol, aggregate.id, text);
      }
    }
  }

  const aggregatesKept = new WeakMap<TradeBlock, Aggregate[]>();
  function waitingAggregates(spec: SymbolSpec, block: TradeBlock): Aggregate[] {
    const kept = aggregatesKept.get(block) ?? aggregatesOfBlock(spec, block);
    aggregatesKept.set(block, kept);
    return kept;
  }

  const timer = setInterval(() => {
    const nowUs = market.nowUs();
    for (const spec of market.specs) sendSymbol(spec, nowUs);
    broadcast.flush();
  }, EVERY_MS);
  return {
    again(seconds) {
      const nowUs = market.nowUs();
      for (const spec of market.specs) {
        const toUs = Math.min(nowUs, cursors.get(spec)?.sentUs ?? nowUs);
        sendSpan(spec, nowUs - seconds * SECOND_US, toUs, (topic, _, id, payload) => {
          // Of a tick that was sent with other values, those stand.
          if (faults.truthOf(topic.name, id) === undefined) broadcast.publish(topic, payload);
        });
      }
      broadcast.flush();
    },
    restart: () => cursors.clear(),
    close: () => clearInterval(timer),
  };
}

function timeAt(block: TradeBlock | QuoteBlock | undefined, i: number): number {
  return block === undefined || i >= block.count ? Number.POSITIVE_INFINITY : (block.timeUs[i] as number);
}
