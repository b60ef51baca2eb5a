/**
 * One client of the market sockets `/ws` and `/stream`: its streams, its control messages, and how fast it may be sent more.
 * It must not let a slow client cost the others anything: it holds positions and the newest of each stream, never a queue.
 */
import { ApiError } from '../api-error.ts';
import { createSessionOutlet, type SessionSocket, SLOW } from '../session-outlet.ts';
import { answerControl, type ControlId, refusalText } from './control-protocol.ts';
import type { KlineFeed, KlineFeeds } from './kline-feeds.ts';
import type { MarketTarget } from './market-url.ts';
import type { MarketStream } from './stream-name.ts';
import type { Payload } from './stream-payloads.ts';
import type { TickFeed } from './tick-feed.ts';

/** What all sessions share. Errors: `shardOf` throws ApiError 404 for an unknown symbol. Units: `nowMs` monotonic. */
export type MarketShared = {
  readonly klines: KlineFeeds;
  readonly ticks: TickFeed;
  readonly shardOf: (symbol: string) => number;
  readonly nowMs: () => number;
  readonly onSlow: () => void;
};

type Running = { readonly name: string; readonly stop: () => void; readonly flush: () => number };

/** Creates the session of a connected client. Limits: STREAMS_MAX streams, and those of its outlet. */
export function createMarketSession(socket: SessionSocket, shared: MarketShared, target: MarketTarget) {
  const { nowMs } = shared;
  const running = new Map<string, Running>();
  const outlet = createSessionOutlet({
    ...{ socket, nowMs, onSlow: shared.onSlow },
    onClose: () => {
      for (const one of running.values()) one.stop();
      running.clear();
    },
  });
  const { send } = outlet;
  let { combined } = target;

  const push = (name: string, payload: Payload): void => {
    const text = payload(target.unit);
    send(combined ? `{"stream":${JSON.stringify(name)},"data":${text}}` : text);
  };

  const startKlines = (stream: MarketStream & { kind: 'kline' }, id: ControlId | undefined): Running => {
    const feed: KlineFeed | undefined = shared.klines.open(stream.symbol, stream.windowing);
    if (feed === undefined) throw new ApiError(503, 'too_many_requests', 'too much is subscribed here; try later');
    let sentSeq: number | undefined;
    let sentAtMs = Number.NEGATIVE_INFINITY;
    const stopListening = feed.listen(() => outlet.wake(one.flush));
    const one: Running = {
      name: stream.name,
      stop: () => {
        stopListening();
        shared.klines.release(feed);
      },
      flush: () => {
        // Before the stream has begun there is nothing to follow.
        if (sentSeq === undefined) return 0;
        const waitMs = sentAtMs + outlet.gapMs() - nowMs();
        if (waitMs > 0) return waitMs;
        for (const payload of feed.after(sentSeq)) push(stream.name, payload);
        sentSeq = feed.seq;
        sentAtMs = nowMs();
        return 0;
      },
    };
    const begin = (): void => {
      if (running.get(stream.name) !== one) return;
      for (const payload of feed.current()) push(stream.name, payload);
      sentSeq = feed.seq;
    };
    feed.ready.then(begin, () => {
      end(stream.name);
      send(refusalText(`stream \`${stream.name}\` cannot be read now; try again`, id));
    });
    return one;
  };

  const startTicks = (stream: MarketStream & { kind: 'ticks' }): Running => {
    const shard = shared.shardOf(stream.symbol);
    let newest: Payload | undefined;
    const listener = (payloads: readonly Payload[]): void => {
      // Of quotes and tickers only the newest counts for a client that is behind; trades are sent, or the client is closed.
      if (stream.channel !== 'trade' && outlet.isHeld()) {
        newest = payloads.at(-1);
        outlet.wake(one.flush);
        return;
      }
      for (const payload of payloads) push(stream.name, payload);
    };
    const one: Running = {
      name: stream.name,
      stop: shared.ticks.listen(stream.channel, stream.symbol, shard, listener),
      flush: () => {
        if (newest !== undefined) push(stream.name, newest);
        newest = undefined;
        return 0;
      },
    };
    return one;
  };

  const start = (stream: MarketStream, id: ControlId | undefined): void => {
    if (running.has(stream.name)) return;
    running.set(stream.name, stream.kind === 'kline' ? startKlines(stream, id) : startTicks(stream));
  };

  const end = (name: string): void => {
    const one = running.get(name);
    if (one === undefined) return;
    running.delete(name);
    outlet.drop(one.flush);
    one.stop();
  };

  // Unknown symbols are refused before anything of the message is followed.
  const follow = (streams: readonly MarketStream[], id: ControlId | undefined): void => {
    for (const stream of streams) shared.shardOf(stream.symbol);
    for (const stream of streams) start(stream, id);
  };

  const session = {
    /** Follows a control message of the client. Errors: none; they are sent to the client. */
    async receive(text: string): Promise<void> {
      if (!outlet.mayReceive()) return;
      const result = answerControl(text, { streams: new Set(running.keys()), combined });
      for (const name of result.unsubscribe) end(name);
      try {
        for (const stream of result.subscribe) shared.shardOf(stream.symbol);
      } catch (error) {
        return send(refusalText(error instanceof ApiError ? error.message : 'try again', result.id));
      }
      send(result.reply);
      combined = result.combined ?? combined;
      try {
        follow(result.subscribe, result.id);
      } catch (error) {
        send(refusalText(error instanceof ApiError ? error.message : 'try again', result.id));
      }
    },
    /** Looks whether the client reads; called twice a second. */
    tick: (): void => void outlet.isHeld(),
    close: outlet.close,
  };
  try {
    follow(target.streams, undefined);
  } catch (error) {
    outlet.close(SLOW, error instanceof ApiError ? error.message : 'try again later');
  }
  return session;
}
