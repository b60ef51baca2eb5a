/**
 * Subscriptions to candles over one connection: resumed by `seq` after each break, merged by revision, errors typed.
 * It must not open a socket before something is subscribed, nor keep one when nothing is.
 */
import type { Candle, CandleName } from './answers.ts';
import { createCandleList } from './candle-list.ts';
import { type Connection, openConnection, type SocketLike } from './connection.ts';
import { isPassing, WickError } from './wick-error.ts';

/** Candles that have changed. Shape: `kind` is `snapshot` when all were sent; `changed` are those that are new or other, `candles` all. Order: oldest first. Units: `sentAt` ms since the epoch. */
export type CandlesChange = {
  readonly kind: 'snapshot' | 'update';
  readonly changed: readonly Candle[];
  readonly candles: readonly Candle[];
  readonly seq: number;
  readonly sentAt: number;
};

/** How a subscription is: `stale` has a reason (`silent`, `lost`, `not_listening`, `not_trading` with the venue's `status`, such as HALT), `lost` is the connection's. */
export type SubscriptionState = {
  readonly state: 'connecting' | 'live' | 'stale' | 'lost';
  readonly reason?: string | undefined;
  readonly status?: string | undefined;
};

/** What a subscription tells. Shape: after `onError` with an error that does not pass, the subscription has ended. */
export type SubscriptionEvents = {
  readonly onChange: (change: CandlesChange) => void;
  readonly onState?: ((state: SubscriptionState) => void) | undefined;
  readonly onError?: ((error: WickError) => void) | undefined;
};

/** A question for candles as they change. Limits: `limit` 1 to 500, by default 12. */
export type StreamQuestion = CandleName & { readonly limit?: number | undefined };

/** A subscription. */
export type CandleSubscription = {
  /** All candles as last sent. Order: oldest first. */
  candles(): readonly Candle[];
  /** Ends it; nothing is told any more. */
  close(): void;
};

/** The stream. */
export type CandleStream = ReturnType<typeof createCandleStream>;

/** What a stream needs. Shape: `probe` asks over HTTP why a connection was refused, and resolves when it cannot tell. */
export type StreamOptions = {
  readonly connect: () => SocketLike;
  readonly probe: () => Promise<WickError | undefined>;
};

/** Candles of a subscription that does not say how many. */
export const STREAM_CANDLES = 12;

const RETRY_MS = 1_000;

type Held = {
  readonly id: number;
  readonly question: StreamQuestion;
  readonly list: ReturnType<typeof createCandleList>;
  readonly events: SubscriptionEvents;
  seq: number | undefined;
  state: string;
  retry: ReturnType<typeof setTimeout> | undefined;
};

type Message = {
  readonly type: string;
  readonly id?: number;
  readonly seq?: number;
  readonly sentAt?: number;
  readonly candles?: readonly Candle[];
  readonly reason?: string;
  readonly status?: string;
  readonly code?: string;
  readonly message?: string;
  readonly param?: string;
};

/** Creates the stream. Errors: told to the subscriptions. */
export function createCandleStream(options: StreamOptions) {
  const subscriptions = new Map<number, Held>();
  let connection: Connection | undefined;
  let number = 0;

  const tell = (one: Held, next: SubscriptionState): void => {
    const text = `${next.state} ${next.reason ?? ''} ${next.status ?? ''}`;
    if (one.state === text) return;
    one.state = text;
    one.events.onState?.(next);
  };
  const tellAll = (next: SubscriptionState): void => {
    for (const one of [...subscriptions.values()]) tell(one, next);
  };

  const ask = (one: Held): void => {
    const since = one.seq === undefined ? {} : { since: one.seq };
    connection?.send({ op: 'subscribe', id: one.id, channel: 'candles', ...one.question, ...since });
  };

  const end = (one: Held): void => {
    clearTimeout(one.retry);
    if (!subscriptions.delete(one.id)) return;
    connection?.send({ op: 'unsubscribe', id: one.id });
    if (subscriptions.size > 0) return;
    connection?.close();
    connection = undefined;
  };

  const fail = (one: Held, error: WickError): void => {
    if (isPassing(error)) one.retry = setTimeout(() => ask(one), RETRY_MS);
    else end(one);
    one.events.onError?.(error);
  };

  const take = (text: string): void => {
    const message = readMessage(text);
    const one = message?.id === undefined ? undefined : subscriptions.get(message.id);
    if (message === undefined || one === undefined) return;
    if (message.type === 'snapshot' || message.type === 'update') {
      const { seq = 0, sentAt = 0, candles: sent = [], type } = message;
      one.seq = seq;
      const changed = type === 'snapshot' ? one.list.replace(sent) : one.list.merge(sent);
      if (!one.state.startsWith('stale')) tell(one, { state: 'live' });
      one.events.onChange({ kind: type, changed, candles: one.list.all(), seq, sentAt });
    } else if (message.type === 'stale') {
      const { reason, status } = message;
      tell(one, { state: 'stale', reason, ...(status === undefined ? {} : { status }) });
    } else if (message.type === 'fresh') tell(one, { state: 'live' });
    else if (message.type === 'error') fail(one, errorOf(message));
  };

  const refused = async (): Promise<void> => {
    tellAll({ state: 'lost', reason: 'nothing answers' });
    const error = await options.probe();
    if (error === undefined) return;
    for (const one of [...subscriptions.values()]) fail(one, error);
  };

  const open = (): Connection =>
    openConnection(options.connect, {
      onOpen: () => {
        for (const one of subscriptions.values()) {
          clearTimeout(one.retry);
          one.state = '';
          ask(one);
        }
      },
      onText: take,
      onLost: (reason) => tellAll({ state: 'lost', reason }),
      onFailed: () => void refused(),
    });

  return {
    /** Subscribes to candles. Limits: 100 subscriptions a connection. Errors: told to `onError`. */
    candles(question: StreamQuestion, events: SubscriptionEvents): CandleSubscription {
      const list = createCandleList(question.limit ?? STREAM_CANDLES);
      const one: Held = { id: ++number, question, list, events, seq: undefined, state: '', retry: undefined };
      subscriptions.set(one.id, one);
      tell(one, { state: 'connecting' });
      if (connection === undefined) connection = open();
      else if (connection.isOpen()) ask(one);
      return { candles: list.all, close: () => end(one) };
    },
    /** Connects at once, when it is waiting to connect again: for a page that was hidden, or a machine that slept. */
    hurry: () => connection?.hurry(),
    close(): void {
      for (const one of [...subscriptions.values()]) end(one);
    },
  };
}

function readMessage(text: string): Message | undefined {
  try {
    const message: unknown = JSON.parse(text);
    return typeof message === 'object' && message !== null ? (message as Message) : undefined;
  } catch {
    return undefined;
  }
}

function errorOf({ code = 'internal', message = 'no reason was given', param }: Message): WickError {
  return new WickError(code, message, { param });
}
