/**
 * Bounds what a live feed piles up in Redis before the aggregators: a shard with too much unread is held back, and sheds here.
 * It must never hold a shard without knowing: where Redis does not answer, the last answer stays.
 */

/** A shard goes on when this share of the limit is unread or less. */
export const RESUME_SHARE = 0.8;

const LOOK_EVERY_MS = 1000;

/** What is watched. Shape: one key a shard. Units: entries. */
export type StreamLimitOptions = {
  readonly keys: readonly string[];
  readonly unreadEntries: (key: string) => Promise<number>;
  readonly unreadMax: number;
  readonly setHeld: (shard: number, held: boolean) => void;
};

/** The watch over the streams. */
export type StreamLimit = { close(): void };

/** Starts the watch. Units: looks each second. */
export function createStreamLimit({ keys, unreadEntries, unreadMax, setHeld }: StreamLimitOptions): StreamLimit {
  const heldShards = new Set<number>();
  let timer: NodeJS.Timeout | undefined;

  const look = async (key: string, shard: number): Promise<void> => {
    const unread = await unreadEntries(key);
    const isHeld = heldShards.has(shard);
    if (isHeld === (isHeld ? unread > unreadMax * RESUME_SHARE : unread > unreadMax)) return;
    if (isHeld) heldShards.delete(shard);
    else heldShards.add(shard);
    setHeld(shard, !isHeld);
  };

  const lookAll = async (): Promise<void> => {
    await Promise.allSettled(keys.map(look));
    if (timer !== undefined) timer = setTimeout(() => void lookAll(), LOOK_EVERY_MS);
  };

  timer = setTimeout(() => void lookAll(), LOOK_EVERY_MS);
  return {
    close: () => {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
