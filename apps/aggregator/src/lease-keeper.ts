/**
 * Shares the shards among the aggregators by leases in Redis: each takes its fair part, and what a dead one held when its lease ends.
 * It must not touch ticks; that a former holder may still be at work is for term and batch to find.
 */
import type { Logger } from '@wickstream/shared/log';
import { shardKeys } from '@wickstream/shared/names';
import type { RedisClient } from './redis-client.ts';
import { acquireLease, announceMember, releaseLease, renewLease, withdrawMember } from './redis-scripts.ts';

/** How long a lease lasts without renewal, which bounds how long a shard stands still when its holder dies. Units: ms. */
export const LEASE_MS = 3_000;

/** How often leases are renewed and shares are looked at. Units: ms. */
export const LEASE_EVERY_MS = 750;

/** What a lease keeper is given. `onGain` starts the work on a shard, `onLoss` ends it, committing what it can. */
export type LeaseKeeperOptions = {
  readonly redis: RedisClient;
  readonly prefix: string;
  readonly shards: number;
  readonly member: string;
  readonly log: Logger;
  readonly onGain: (shard: number) => void;
  readonly onLoss: (shard: number) => Promise<void>;
};

/** The leases of one aggregator. */
export type LeaseKeeper = {
  start(): void;
  held(): number[];
  /** Whether the lease of a shard is ours in Redis now. */
  isHeld(shard: number): Promise<boolean>;
  /** Takes note that a shard's work ended because another holds it. */
  drop(shard: number): void;
  /** Gives every lease up, after its work has ended. */
  close(): Promise<void>;
};

/** How many shards a member may hold: equal parts, the first members in order of their names one more. */
export function fairShare(shards: number, members: readonly string[], member: string): number {
  const rank = members.indexOf(member);
  if (rank === -1) return 0;
  return Math.floor(shards / members.length) + (rank < shards % members.length ? 1 : 0);
}

/** Creates the lease keeper of an aggregator. */
export function createLeaseKeeper(options: LeaseKeeperOptions): LeaseKeeper {
  const { redis, prefix, shards, member, log } = options;
  const membersKey = `${prefix}members:{aggregators}`;
  const held = new Map<number, number>();
  const leaseKey = (shard: number) => shardKeys(prefix, shard).lease;
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();
  let closing = false;

  const lose = async (shard: number, reason: string): Promise<void> => {
    held.delete(shard);
    log.info({ shard, reason }, 'lease ended');
    await options.onLoss(shard);
  };

  const renew = async (): Promise<void> => {
    for (const shard of [...held.keys()]) {
      if (await renewLease(redis, leaseKey(shard), member, LEASE_MS)) held.set(shard, performance.now());
      else await lose(shard, 'taken or expired');
    }
  };

  const giveBack = async (share: number): Promise<void> => {
    const extra = [...held.keys()].slice(Math.max(share, 0));
    for (const shard of extra) {
      await lose(shard, 'shared with another aggregator');
      await releaseLease(redis, leaseKey(shard), member);
    }
  };

  const takeFree = async (share: number, first: number): Promise<void> => {
    for (let i = 0; i < shards && held.size < share && !closing; i++) {
      const shard = (first + i) % shards;
      if (held.has(shard) || !(await acquireLease(redis, leaseKey(shard), member, LEASE_MS))) continue;
      held.set(shard, performance.now());
      log.info({ shard }, 'lease taken');
      options.onGain(shard);
    }
  };

  const look = async (): Promise<void> => {
    if (closing) return;
    try {
      await renew();
      const members = await announceMember(redis, membersKey, member, LEASE_MS);
      const share = fairShare(shards, members, member);
      await giveBack(share);
      await takeFree(share, Math.floor((shards * members.indexOf(member)) / members.length));
    } catch (error) {
      log.warn({ err: error }, 'leases could not be looked at');
      await dropExpired();
    }
  };

  // Redis does not answer: what was not renewed in time may be another's by now.
  const dropExpired = async (): Promise<void> => {
    for (const [shard, renewedMs] of [...held]) {
      if (performance.now() - renewedMs > LEASE_MS) await lose(shard, 'not renewed in time');
    }
  };

  const schedule = (): void => {
    turn = look().finally(() => {
      if (!closing) timer = setTimeout(schedule, LEASE_EVERY_MS);
    });
  };

  return {
    start: schedule,
    held: () => [...held.keys()].sort((a, b) => a - b),
    isHeld: async (shard) => (await redis.get(leaseKey(shard))) === member,
    drop: (shard) => {
      held.delete(shard);
    },
    close: async () => {
      closing = true;
      clearTimeout(timer);
      await turn;
      const shardsHeld = [...held.keys()];
      await Promise.all(shardsHeld.map((shard) => lose(shard, 'closing')));
      await Promise.all(shardsHeld.map((shard) => releaseLease(redis, leaseKey(shard), member))).catch(() => undefined);
      await withdrawMember(redis, membersKey, member).catch(() => undefined);
    },
  };
}
