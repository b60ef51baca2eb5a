/**
 * Makes what a connection carries equal to what is wanted, and keeps it so: ask, list, compare, ask again.
 * It must believe only the venue's own list; an accepted SUBSCRIBE proves nothing.
 */
import type { ControlMethod, VenueReply } from './venue.ts';

/** Most streams of one control message. */
export const STREAMS_PER_MESSAGE_MAX = 100;

/** Time between two looks at the venue's list when all is well. Units: ms. */
export const CHECK_EVERY_MS = 60_000;

/** Longest time between two tries when the venue refuses streams. Units: ms. */
export const RETRY_MAX_MS = 30_000;

/** Lists in a row that may stay unanswered before the connection counts as lost. */
export const UNANSWERED_MAX = 3;

const RETRY_FIRST_MS = 250;

/** What a subscription is given. Errors: `ask` rejects when there is no answer in time or the connection ends. */
export type SubscriptionOptions = {
  readonly ask: (method: ControlMethod, streams: readonly string[]) => Promise<VenueReply>;
  readonly nowUs: () => number;
  readonly onChange: () => void;
  readonly onUnanswered: () => void;
  readonly onRefused: (streams: readonly string[], error: string) => void;
};

/** The subscription of one connection. */
export type Subscription = {
  /** Starts with the streams that the address named, which flow from `openedUs` on. */
  open(streams: Iterable<string>, openedUs: number): void;
  want(streams: Iterable<string>): void;
  /** The streams that the venue lists, each with the time from which it surely flowed. Units: µs. */
  confirmed(): ReadonlyMap<string, number>;
  isComplete(): boolean;
  close(): void;
};

/** Creates the subscription of one connection. Limits: one control message under way at a time. */
export function createSubscription(options: SubscriptionOptions): Subscription {
  const wanted = new Set<string>();
  const flowing = new Map<string, number>();
  const confirmed = new Map<string, number>();
  let unanswered = 0;
  let closed = false;
  let changed = false;
  let wakeUp = (): void => undefined;

  const run = async (): Promise<void> => {
    for (let failures = 0; !closed; ) {
      changed = false;
      const complete = await reconcile();
      failures = complete ? 0 : failures + 1;
      await rest(complete ? CHECK_EVERY_MS : Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(failures, 8)));
    }
  };

  const reconcile = async (): Promise<boolean> => {
    const listed = await list();
    if (listed === undefined) return false;
    settle(listed);
    const missing = [...wanted].filter((name) => !listed.has(name));
    const extra = [...listed].filter((name) => !wanted.has(name));
    if (missing.length === 0 && extra.length === 0) return true;
    for (const part of splitNames(extra)) await change('UNSUBSCRIBE', part);
    for (const part of splitNames(missing)) await change('SUBSCRIBE', part);
    settle((await list()) ?? listed);
    return isComplete();
  };

  const list = async (): Promise<ReadonlySet<string> | undefined> => {
    const reply = await ask('LIST_SUBSCRIPTIONS', []);
    unanswered = reply === undefined ? unanswered + 1 : 0;
    if (unanswered >= UNANSWERED_MAX && !closed) options.onUnanswered();
    if (!Array.isArray(reply?.result)) return undefined;
    return new Set(reply.result.filter((name) => typeof name === 'string'));
  };

  const change = async (method: 'SUBSCRIBE' | 'UNSUBSCRIBE', names: readonly string[]): Promise<void> => {
    const reply = await ask(method, names);
    if (reply === undefined) return;
    if (reply.error !== null) options.onRefused(names, reply.error);
    else if (method === 'SUBSCRIBE') for (const name of names) flowing.set(name, options.nowUs());
  };

  const ask = async (method: ControlMethod, names: readonly string[]): Promise<VenueReply | undefined> => {
    if (closed) return undefined;
    return options.ask(method, names).catch(() => undefined);
  };

  const settle = (listed: ReadonlySet<string>): void => {
    for (const name of [...confirmed.keys()]) if (!wanted.has(name) || !listed.has(name)) confirmed.delete(name);
    for (const name of wanted) {
      if (listed.has(name) && !confirmed.has(name)) confirmed.set(name, flowing.get(name) ?? options.nowUs());
    }
    if (!closed) options.onChange();
  };

  const rest = (waitMs: number): Promise<void> => {
    if (changed || closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  };

  const isComplete = (): boolean => [...wanted].every((name) => confirmed.has(name));

  return {
    open: (streams, openedUs) => {
      for (const name of streams) flowing.set(name, openedUs);
      void run();
    },
    want: (streams) => {
      wanted.clear();
      for (const name of streams) wanted.add(name);
      changed = true;
      wakeUp();
    },
    confirmed: () => confirmed,
    isComplete,
    close: () => {
      closed = true;
      wakeUp();
    },
  };
}

function splitNames(names: readonly string[]): string[][] {
  const parts: string[][] = [];
  for (let i = 0; i < names.length; i += STREAMS_PER_MESSAGE_MAX)
    parts.push(names.slice(i, i + STREAMS_PER_MESSAGE_MAX));
  return parts;
}
