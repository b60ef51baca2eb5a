/**
 * Shares the shards among the aggregators by leases in Redis: each takes its fair part, and what a dead one held when its lease ends.
 * It must not touch ticks; that a former holder may still be at work is for term and batch to find.
 */
import type { Logger } from '@wickstream/shared/log';
import { shardKeys } from '@wickstream/shared/names';
import type { RedisClient } from '../stream/redis-client.ts';
import {
  acquireLease,
  announceMember,
  listMembers,
  releaseLease,
  renewLease,
  withdrawMember,
} from '../stream/redis-scripts.ts';

/** How long a lease lasts without renewal, which bounds how long a shard stands still when its holder dies. Units: ms. */
export const LEASE_MS = 3_000;

/** How often leases are renewed and shares are looked at. Units: ms. */
export const LEASE_EVERY_MS = 750;

/** How long an aggregator that cannot do the work leaves it to others before it tries again. Units: ms. */
export const ASIDE_MS = 300_000;

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
  /**
   * Takes note that this version cannot do a shard's work, as in an upgrade: while others are at work every lease is left to them. Limits:
   * after ASIDE_MS, or when it is alone, it tries again.
   */
  failed(shard: number, reason: string): void;
  /** Takes note that a shard's work was done. */
  succeeded(shard: number): void;
  /** Why no lease is taken; undefined when they are. */
  aside(): string | undefined;
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
  const unfit = new Map<number, { readonly reason: string; readonly untilMs: number }>();
  let isAside = false;

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

  const leaveToOthers = async (): Promise<boolean> => {
    for (const [shard, { untilMs }] of [...unfit]) if (performance.now() > untilMs) unfit.delete(shard);
    if (unfit.size === 0) return false;
    const others = (await listMembers(redis, membersKey)).filter((one) => one !== member);
    if (others.length === 0) return false;
    if (!isAside)
      log.error({ reason: reasonOf(unfit), others: others.length }, 'leaving the shards to other aggregators');
    isAside = true;
    await giveBack(0);
    await withdrawMember(redis, membersKey, member);
    return true;
  };

  const look = async (): Promise<void> => {
    if (closing) return;
    try {
      await renew();
      isAside = await leaveToOthers();
      if (isAside) return;
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
    failed: (shard, reason) => void unfit.set(shard, { reason, untilMs: performance.now() + ASIDE_MS }),
    succeeded: (shard) => void unfit.delete(shard),
    aside: () => (isAside ? reasonOf(unfit) : undefined),
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

function reasonOf(unfit: ReadonlyMap<number, { readonly reason: string }>): string | undefined {
  return unfit.values().next().value?.reason;
}
