/**
 * Keeps one shard going while its lease is held: tenure after tenure, with a wait after each error.
 * It must not decide who holds the lease.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from '@wickstream/shared/log';
import type { ShardKeys } from '@wickstream/shared/names';
import { DeadlineError } from '../deadline.ts';
import type { FailPoint } from '../fail-point.ts';
import { LIVE_ENTRIES_FULL_MAX } from '../live/live-publisher.ts';
import { createHalving } from '../store/halving.ts';
import { type Store, sqlStateOf } from '../store/store.ts';
import { BLOCK_MS, createRedisClient, type RedisClient, whenReady } from '../stream/redis-client.ts';
import { isAtMemoryLimit } from '../stream/redis-scripts.ts';
import { NewerEntryError } from '../stream/stream-entry.ts';
import { createStreamReader } from '../stream/stream-reader.ts';
import { createStreamTrimmer, TRIM_AFTER_MS } from '../stream/stream-trimmer.ts';
import type { ShardCounters } from './shard-counters.ts';
import { RefusedBatchError, runTenure } from './tenure.ts';

/** First wait after an error; it doubles, with jitter. Units: ms. */
export const RETRY_FIRST_MS = 50;

/** Longest wait after an error that may pass by itself. Units: ms. */
export const RETRY_MAX_MS = 5_000;

/** How often a shard looks whether Redis still takes entries. Units: ms. */
export const ROOM_CHECK_MS = 250;

/** The wait after an error that only a person can mend. Units: ms. */
export const FAULT_WAIT_MS = 15_000;

const DAY_US = 86_400_000_000;
// The schema has moved on under a running process; only another version can do the work.
const SCHEMA_FAULTS = new Set(['42883', '42P01', '42703']);
const FAULTS = new Set(['WK002', 'WK004', 'WK005', 'WK006', '42501', '28P01', '3D000']);

/** What a runner is given. `isHeld` looks at the lease. */
export type ShardRunnerOptions = {
  readonly shard: number;
  readonly keys: ShardKeys;
  readonly redisUrl: string;
  readonly commands: RedisClient;
  readonly store: Store;
  readonly counters: ShardCounters;
  readonly failPoint: FailPoint;
  readonly log: Logger;
  readonly member: string;
  readonly replay: boolean;
  /** How long trades are kept. Units: days; null for ever. */
  readonly tradesDays: number | null;
  readonly isHeld: () => Promise<boolean>;
  /** Called when this version cannot do the work and another one may. */
  readonly onUnfit: (reason: string) => void;
  readonly onPublished: (oldestReceivedAtUs: number) => void;
};

/** A running shard. */
export type ShardRunner = {
  /** Commits what is stepped, acknowledges it and ends. Limits: a tenure that hangs is given up by its own deadlines. */
  stop(): Promise<void>;
  /** Resolves when it ended, by itself when the lease was found to be another's. */
  readonly ended: Promise<void>;
};

/** Starts the work on a shard. */
export function startShardRunner(options: ShardRunnerOptions): ShardRunner {
  const { shard, keys, counters } = options;
  const log = options.log.child({ shard });
  const blocking = createRedisClient(options.redisUrl, (error) => log.debug({ err: error }, 'stream connection'));
  const halving = createHalving();
  const trimAfterMs = options.replay ? 0 : TRIM_AFTER_MS;
  const trimmer = createStreamTrimmer(options.commands, keys.ticks, trimAfterMs, options.failPoint);
  const stopAsked = Promise.withResolvers<void>();
  let stopping = false;
  // An error after a commit waits as if it were the first.
  let progressed = false;
  let wake = (): void => undefined;

  const wait = (longestMs: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, longestMs * (0.5 + Math.random() / 2));
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  // Bars are for readers that follow; one that is behind the few that stay takes its base from the database.
  const makeRoom = async (): Promise<void> => {
    try {
      await trimmer.makeRoom();
      await options.commands.xtrim(keys.bars, 'MAXLEN', '~', LIVE_ENTRIES_FULL_MAX);
    } catch (error) {
      log.debug({ err: error }, 'no room could be made');
    }
  };

  // A producer that is refused sends nothing, so no commit of ours would ever find the limit and make room.
  // One look at a time: with a Redis that is slow to answer they would pile up.
  let checkingRoom = false;
  const checkRoom = async (): Promise<void> => {
    if (checkingRoom) return;
    checkingRoom = true;
    if (await isAtMemoryLimit(options.commands, keys.lease).catch(() => false)) await makeRoom();
    checkingRoom = false;
  };
  const roomTimer = setInterval(() => void checkRoom(), ROOM_CHECK_MS);

  const work = async (): Promise<void> => {
    await whenReady(blocking, BLOCK_MS * 5);
    await runTenure({
      shard,
      keptUs: options.tradesDays === null ? Number.POSITIVE_INFINITY : options.tradesDays * DAY_US,
      owner: randomUUID(),
      store: options.store,
      reader: createStreamReader(blocking, options.commands, keys.ticks, options.member),
      trimmer,
      halving,
      failPoint: options.failPoint,
      counters: {
        ...counters,
        committed: (sealed, batch, tookMs) => {
          progressed = true;
          counters.committed(sealed, batch, tookMs);
        },
      },
      live: {
        redis: options.commands,
        key: keys.bars,
        onError: (error) => log.warn({ err: error }, 'publishing bars failed; all kept bars follow'),
        onPublished: options.onPublished,
      },
      shouldStop: () => stopping,
      stopAsked: stopAsked.promise,
      onLost: (offset, after) =>
        log.warn(
          { offset, after: after ?? 'the beginning' },
          'the stream does not hold the committed entry; reading again from before it',
        ),
    });
  };

  const run = async (): Promise<void> => {
    for (let failures = 0; !stopping; ) {
      progressed = false;
      try {
        await work();
      } catch (error) {
        if (stopping) return;
        failures = progressed || error instanceof RefusedBatchError ? 1 : failures + 1;
        if (!(await recover(error, failures))) return;
      }
    }
  };

  const recover = async (error: unknown, failures: number): Promise<boolean> => {
    const code = sqlStateOf(error);
    const isOutdated = SCHEMA_FAULTS.has(code) || error instanceof NewerEntryError;
    const isFault = FAULTS.has(code) || isOutdated;
    const reason = reasonOf(error, code);
    counters.failed(reason);
    if (isOutdated) options.onUnfit(reason);
    log[isFault ? 'error' : 'warn'](
      { code, reason, failures },
      'dropped what was not committed; taking the shard again',
    );
    // A connection that did not answer in time may be half open; a new one is not.
    if (error instanceof DeadlineError) {
      options.store.reset();
      blocking.disconnect(true);
    }
    if (code === 'WK001' && !(await options.isHeld().catch(() => true))) return false;
    if (!(error instanceof RefusedBatchError)) {
      await wait(isFault ? FAULT_WAIT_MS : Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(failures, 10)));
    }
    return true;
  };

  const ended = run()
    .catch((error: unknown) => log.error({ err: error }, 'shard ended unexpectedly'))
    .finally(() => {
      clearInterval(roomTimer);
      blocking.disconnect();
    });

  return {
    stop: async () => {
      stopping = true;
      stopAsked.resolve();
      wake();
      await ended;
    },
    ended,
  };
}

function reasonOf(error: unknown, code: string): string {
  const text = error instanceof Error ? error.message : String(error);
  return SCHEMA_FAULTS.has(code)
    ? `the database's schema is another version's; upgrade this aggregator: ${text}`
    : text;
}
