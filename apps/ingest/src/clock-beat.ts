/**
 * Sends the feed's time to every shard: exactly when a minute and its grace are over, and at least each second when quiet.
 * It must not touch what waits in a shard; it only ends an entry there.
 */
import type { FeedClock } from './feed-clock.ts';
import type { ShardWriter } from './shard-writer.ts';

const MINUTE_US = 60_000_000;

/** Longest time that a shard hears nothing. Units: ms. */
export const QUIET_MAX_MS = 1000;

/** What the beat is given. Units: `closeGraceMs` ms; `onSecond` runs about each second. */
export type ClockBeatOptions = {
  readonly clock: FeedClock;
  readonly shards: readonly ShardWriter[];
  readonly closeGraceMs: number;
  readonly onSecond: () => void;
};

/** The beat of all shards. */
export type ClockBeat = {
  /** Begins. Order: after the clock was compared, since what a shard was told once is never taken back. */
  start(): void;
  /** Ends a minute that a replayed frame has passed; call it after the clock was advanced and before the frame's tick is queued. */
  cross(): void;
  close(): void;
};

/** Creates the beat, stopped. */
export function createClockBeat({ clock, shards, closeGraceMs, onSecond }: ClockBeatOptions): ClockBeat {
  const graceUs = closeGraceMs * 1000;
  let boundaryUs = 0;
  let timer: NodeJS.Timeout | undefined;
  let secondAtMs = performance.now();

  const start = (): void => {
    boundaryUs = lastBoundaryUs(clock.nowUs(), graceUs);
    timer = setTimeout(tick, nextTickMs());
  };

  const cross = (): void => {
    const nowUs = clock.nowUs();
    if (nowUs < boundaryUs + MINUTE_US) return;
    boundaryUs = lastBoundaryUs(nowUs, graceUs);
    for (const shard of shards) shard.beat(boundaryUs);
  };

  const beatQuietShards = (): void => {
    if (clock.nowUs() === 0) return;
    const nowMs = performance.now();
    for (const shard of shards) {
      if (shard.bytes() === 0 && nowMs - shard.lastCutMs() >= QUIET_MAX_MS) shard.beat(clock.nowUs());
    }
  };

  const tick = (): void => {
    // What the sockets hold already is read before the time that follows it is said: timers run before the poll phase.
    setImmediate(() => {
      if (timer === undefined) return;
      if (clock.nowUs() !== 0) cross();
      beatQuietShards();
    });
    if (performance.now() - secondAtMs >= QUIET_MAX_MS) {
      secondAtMs = performance.now();
      onSecond();
    }
    timer = setTimeout(tick, nextTickMs());
  };

  const nextTickMs = (): number => {
    const quietMs = QUIET_MAX_MS / 4;
    if (clock.replay) return quietMs;
    return Math.max(1, Math.min(quietMs, (boundaryUs + MINUTE_US - clock.nowUs()) / 1000));
  };

  return {
    start,
    cross,
    close: () => {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

/** The newest minute's end plus grace that is not after `nowUs`. Units: µs. */
function lastBoundaryUs(nowUs: number, graceUs: number): number {
  return Math.floor((nowUs - graceUs) / MINUTE_US) * MINUTE_US + graceUs;
}
