/**
 * Holds a replay back: pauses its sockets while too much waits here or is unread in Redis.
 * It must never be used on a live feed, which sheds instead, and it drops nothing.
 */

/** A replay pauses when more than this waits for Redis. Units: bytes. */
export const PAUSE_BYTES = 16 * 1024 * 1024;

/** A replay goes on when less than this waits for Redis. Units: bytes. */
export const RESUME_BYTES = 4 * 1024 * 1024;

/** A replay pauses when a shard has more unread entries, about 100 MiB when all are full. Units: entries. */
export const PAUSE_UNREAD = 1000;

/** A replay goes on when no shard has more unread entries. Units: entries. */
export const RESUME_UNREAD = 400;

const POLL_MS = 50;

/** Why a replay is paused. */
export type PauseReason = 'buffer' | 'unread';

/** What is watched. Shape: `unreadEntries` is the largest of all shards. Errors: `unreadEntries` may reject; the last answer then stays. */
export type BackPressureOptions = {
  readonly bytes: () => number;
  readonly unreadEntries: () => Promise<number>;
  readonly setPaused: (paused: boolean) => void;
  readonly pauseBytes?: number;
  readonly pauseUnread?: number;
};

/** The watch over a replay. */
export type BackPressure = {
  /** Looks at the buffer at once; call it after each frame. */
  check(): void;
  reasons(): PauseReason[];
  close(): void;
};

/** Starts the watch. Units: looks at Redis every 50 ms. */
export function createBackPressure(options: BackPressureOptions): BackPressure {
  const pauseBytes = options.pauseBytes ?? PAUSE_BYTES;
  const resumeBytes = (RESUME_BYTES / PAUSE_BYTES) * pauseBytes;
  const pauseUnread = options.pauseUnread ?? PAUSE_UNREAD;
  const resumeUnread = (RESUME_UNREAD / PAUSE_UNREAD) * pauseUnread;
  const reasons = new Set<PauseReason>();
  let timer: NodeJS.Timeout | undefined;

  const decide = (reason: PauseReason, pause: boolean, resume: boolean): void => {
    const wasPaused = reasons.size > 0;
    if (pause) reasons.add(reason);
    else if (resume) reasons.delete(reason);
    if (wasPaused !== reasons.size > 0) options.setPaused(reasons.size > 0);
  };

  const check = (): void => {
    const bytes = options.bytes();
    decide('buffer', bytes > pauseBytes, bytes < resumeBytes);
  };

  const poll = async (): Promise<void> => {
    check();
    try {
      const unread = await options.unreadEntries();
      decide('unread', unread > pauseUnread, unread <= resumeUnread);
    } catch {
      // Redis is away: what we hold grows until `buffer` pauses the sockets, and the next look decides again.
    }
    if (timer !== undefined) timer = setTimeout(() => void poll(), POLL_MS);
  };

  timer = setTimeout(() => void poll(), POLL_MS);
  return {
    check,
    reasons: () => [...reasons],
    close: () => {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
