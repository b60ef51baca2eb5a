/**
 * One client of WS /v1/stream: its subscriptions, what it was sent, and how fast it may be sent more.
 * It must not let a slow client cost the others anything: it holds positions, never a queue of updates.
 */
import { ApiError } from './api-error.ts';
import type { CandleTopic } from './candle-topic.ts';
import type { CandleTopics } from './candle-topics.ts';
import { createMessageBudget } from './message-budget.ts';
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

/** Between two updates of one subscription, at least: at most 50 a second. Units: ms. */
export const UPDATE_GAP_MS = 20;

/** Above this much unsent, updates wait, and the newest state is sent when there is room. Units: bytes. */
export const BUFFER_HOLD_BYTES = 128 * 1024;

/** Above this much unsent the client is closed with 1013. Units: bytes. */
export const BUFFER_BYTES_MAX = 1024 * 1024;

/** A client that takes nothing for so long while updates wait is closed with 1013. Units: ms. */
export const STALL_MS_MAX = 15_000;

/** What a session needs of a socket. */
export type SessionSocket = {
  readonly bufferedAmount: number;
  send(text: string): void;
  close(code: number, reason: string): void;
};

/** Why a subscription is stale now, or undefined when it is not. */
export type StaleReason = 'silent' | 'lost' | 'not_listening' | undefined;

/** What all sessions share. Shape: `staleness` says how a topic is now. Units: `nowMs` monotonic, `wallMs` since the epoch. */
export type SessionShared = {
  readonly topics: CandleTopics;
  readonly venue: string;
  readonly staleness: (topic: CandleTopic) => StaleReason;
  readonly onSlow: () => void;
  readonly nowMs: () => number;
  readonly wallMs: () => number;
};

const SLOW = 1013;

type Subscription = {
  readonly id: SubscriptionId;
  readonly topic: CandleTopic;
  readonly stop: () => void;
  sentSeq: number;
  sentAtMs: number;
  stale: StaleReason;
};

/** One client. */
export type StreamSession = ReturnType<typeof createStreamSession>;

/** Creates the session of a connected client. Limits: SUBSCRIPTIONS_MAX, those of the message budget, BUFFER_BYTES_MAX, STALL_MS_MAX. */
export function createStreamSession(socket: SessionSocket, shared: SessionShared) {
  const { topics, nowMs, wallMs } = shared;
  const subscriptions = new Map<SubscriptionId, Subscription>();
  const opening = new Set<SubscriptionId>();
  const waiting = new Set<Subscription>();
  let timer: NodeJS.Timeout | undefined;
  let heldSinceMs: number | undefined;
  const budget = createMessageBudget(nowMs);
  let closed = false;

  const close = (code: number, reason: string): void => {
    if (closed) return;
    closed = true;
    clearTimeout(timer);
    for (const one of subscriptions.values()) end(one);
    subscriptions.clear();
    if (code === SLOW) shared.onSlow();
    socket.close(code, reason);
  };

  const send = (text: string): void => {
    if (closed) return;
    socket.send(text);
    if (socket.bufferedAmount > BUFFER_BYTES_MAX) close(SLOW, 'reads too slowly, connect again');
  };

  const end = (one: Subscription): void => {
    one.stop();
    waiting.delete(one);
    topics.release(one.topic);
  };

  const isHeld = (): boolean => {
    if (socket.bufferedAmount <= BUFFER_HOLD_BYTES) {
      heldSinceMs = undefined;
      return false;
    }
    heldSinceMs ??= nowMs();
    if (nowMs() - heldSinceMs > STALL_MS_MAX) close(SLOW, 'does not read, connect again');
    return true;
  };

  const sendUpdate = (one: Subscription): void => {
    waiting.delete(one);
    const candles = one.topic.after(one.sentSeq);
    one.sentSeq = one.topic.seq;
    one.sentAtMs = nowMs();
    if (candles.length > 0) send(candlesMessage('update', one.id, one.sentSeq, wallMs(), candles));
  };

  const flush = (): void => {
    timer = undefined;
    for (const one of waiting) {
      if (closed) return;
      if (!isHeld() && nowMs() - one.sentAtMs >= UPDATE_GAP_MS) sendUpdate(one);
    }
    if (waiting.size > 0 && !closed) timer ??= setTimeout(flush, UPDATE_GAP_MS);
  };

  const wake = (one: Subscription): void => {
    waiting.add(one);
    if (timer === undefined) flush();
    else if (!isHeld() && nowMs() - one.sentAtMs >= UPDATE_GAP_MS) sendUpdate(one);
  };

  const begin = (topic: CandleTopic, id: SubscriptionId, since: number | undefined): void => {
    const one: Subscription = {
      ...{ id, topic, sentSeq: topic.seq, sentAtMs: nowMs(), stale: undefined },
      stop: topic.listen(() => wake(one)),
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
      if (opening.has(id) && !closed) begin(topic, id, since);
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
    const reason = shared.staleness(one.topic);
    if (reason === one.stale || isHeld()) return;
    one.stale = reason;
    const asOf = Math.floor(one.topic.asOfUs() / 1000);
    const state = reason === undefined ? { type: 'fresh' } : { type: 'stale', reason };
    send(JSON.stringify({ ...state, id: one.id, asOf, sentAt: wallMs() }));
  };

  return {
    /** Follows a message of the client. Errors: none; they are sent to the client. */
    async receive(text: string): Promise<void> {
      if (closed) return;
      if (budget.isSpent()) return close(1008, 'too many messages');
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
      isHeld();
    },
    close,
  };
}

function streamErrorOf(error: unknown, id?: SubscriptionId): StreamError {
  if (error instanceof StreamError) return error;
  if (error instanceof ApiError) return new StreamError(error.code, error.message, id, error.param);
  return new StreamError('internal', 'something failed here; try again', id);
}
