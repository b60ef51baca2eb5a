/**
 * One client of WS /v1/stream: its subscriptions, what it was sent, and how fast it may be sent more.
 * It must not let a slow client cost the others anything: it holds positions, never a queue of updates.
 */
import { ApiError } from './api-error.ts';
import type { CandleTopic } from './candle-topic.ts';
import type { CandleTopics } from './candle-topics.ts';
import { createSessionOutlet, type SessionSocket } from './session-outlet.ts';
import {
  type ClientMessage,
  candlesMessage,
  errorMessage,
  readClientMessage,
  StreamError,
  type SubscriptionId,
} from './stream-protocol.ts';

/** Most subscriptions of one connection. */
export const SUBSCRIPTIONS_MAX = 100;

/** Why a subscription is stale now. Shape: `status` is the venue's word for a symbol that does not trade, such as HALT. */
export type Staleness =
  | { readonly reason: 'silent' | 'lost' | 'not_listening'; readonly status?: undefined }
  | { readonly reason: 'not_trading'; readonly status: string };

/** What all sessions share. Shape: `staleness` says how a topic is now. Units: `nowMs` monotonic, `wallMs` since the epoch. */
export type SessionShared = {
  readonly topics: CandleTopics;
  readonly venue: string;
  readonly staleness: (topic: CandleTopic) => Staleness | undefined;
  readonly onSlow: () => void;
  readonly nowMs: () => number;
  readonly wallMs: () => number;
};

type Subscription = {
  readonly id: SubscriptionId;
  readonly topic: CandleTopic;
  readonly stop: () => void;
  readonly sendUpdate: () => number;
  sentSeq: number;
  sentAtMs: number;
  stale: Staleness | undefined;
};

/** One client. */
export type StreamSession = ReturnType<typeof createStreamSession>;

/** Creates the session of a connected client. Limits: SUBSCRIPTIONS_MAX, and those of its outlet. */
export function createStreamSession(socket: SessionSocket, shared: SessionShared) {
  const { topics, nowMs, wallMs } = shared;
  const subscriptions = new Map<SubscriptionId, Subscription>();
  const opening = new Set<SubscriptionId>();
  const outlet = createSessionOutlet({
    ...{ socket, nowMs, onSlow: shared.onSlow },
    onClose: () => {
      for (const one of subscriptions.values()) end(one);
      subscriptions.clear();
    },
  });
  const { send } = outlet;

  const end = (one: Subscription): void => {
    one.stop();
    outlet.drop(one.sendUpdate);
    topics.release(one.topic);
  };

  /** Returns how long the update must wait, 0 when there is nothing more to send. Units: ms. */
  const sendUpdate = (one: Subscription): number => {
    const now = nowMs();
    const waitMs = one.sentAtMs + outlet.gapMs() - now;
    if (waitMs > 0) return waitMs;
    const candles = one.topic.after(one.sentSeq);
    one.sentSeq = one.topic.seq;
    one.sentAtMs = now;
    if (candles !== '') send(candlesMessage('update', one.id, one.sentSeq, wallMs(), candles));
    return 0;
  };

  const begin = (topic: CandleTopic, id: SubscriptionId, since: number | undefined): void => {
    const one: Subscription = {
      ...{ id, topic, sentSeq: topic.seq, sentAtMs: nowMs(), stale: undefined },
      stop: topic.listen(() => outlet.wake(one.sendUpdate)),
      sendUpdate: () => sendUpdate(one),
    };
    subscriptions.set(id, one);
    // A position is met again with what changed at it: in another process the same position may hold more.
    const resumed = since !== undefined && topic.reaches(since);
    const candles = resumed ? topic.after(since - 1) : topic.all();
    send(candlesMessage(resumed ? 'update' : 'snapshot', id, topic.seq, wallMs(), candles));
    checkStale(one);
  };

  const subscribe = async (message: ClientMessage & { op: 'subscribe' }): Promise<void> => {
    const { id, symbol, source, windowing, limit, since } = message;
    if (subscriptions.has(id) || opening.has(id)) {
      throw new StreamError('duplicate_id', 'this id is subscribed already; unsubscribe it or use another', id, 'id');
    }
    if (subscriptions.size + opening.size >= SUBSCRIPTIONS_MAX) {
      const mend = `a connection holds at most ${SUBSCRIPTIONS_MAX} subscriptions; unsubscribe some or open another`;
      throw new StreamError('too_many_subscriptions', mend, id);
    }
    opening.add(id);
    try {
      const topic = topics.open({ venue: message.venue ?? shared.venue, symbol, source, windowing, limit });
      if (topic === undefined) throw new StreamError('too_many_topics', 'too much is subscribed here; try later', id);
      await topic.ready;
      if (opening.has(id) && !outlet.isClosed()) begin(topic, id, since);
    } catch (error) {
      throw streamErrorOf(error, id);
    } finally {
      opening.delete(id);
    }
  };

  const unsubscribe = (id: SubscriptionId): void => {
    const one = subscriptions.get(id);
    if (one === undefined && !opening.delete(id)) {
      throw new StreamError('unknown_id', 'this id is not subscribed', id, 'id');
    }
    if (one !== undefined) end(one);
    subscriptions.delete(id);
    send(JSON.stringify({ type: 'unsubscribed', id }));
  };

  const checkStale = (one: Subscription): void => {
    const stale = shared.staleness(one.topic);
    const isSame = stale?.reason === one.stale?.reason && stale?.status === one.stale?.status;
    if (isSame || outlet.isHeld()) return;
    one.stale = stale;
    const asOf = Math.floor(one.topic.asOfUs() / 1000);
    const state = stale === undefined ? { type: 'fresh' } : { type: 'stale', ...stale };
    send(JSON.stringify({ ...state, id: one.id, asOf, sentAt: wallMs() }));
  };

  return {
    /** Follows a message of the client. Errors: none; they are sent to the client. */
    async receive(text: string): Promise<void> {
      if (!outlet.mayReceive()) return;
      try {
        const message = readClientMessage(text);
        if (message.op === 'ping') send(JSON.stringify({ type: 'pong', id: message.id, sentAt: wallMs() }));
        else if (message.op === 'unsubscribe') unsubscribe(message.id);
        else await subscribe(message);
      } catch (error) {
        send(errorMessage(streamErrorOf(error)));
      }
    },
    /** Looks whether the subscriptions have become stale or fresh; called twice a second. */
    tick(): void {
      for (const one of subscriptions.values()) checkStale(one);
      outlet.isHeld();
    },
    close: outlet.close,
  };
}

function streamErrorOf(error: unknown, id?: SubscriptionId): StreamError {
  if (error instanceof StreamError) return error;
  if (error instanceof ApiError) return new StreamError(error.code, error.message, id, error.param);
  return new StreamError('internal', 'something failed here; try again', id);
}
