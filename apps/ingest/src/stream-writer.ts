/**
 * All shards' writers together with the bound on what waits for Redis.
 * It must never wait silently: at the bound it sheds (live) or asks for a pause (replay), and counts what it shed.
 */
import { type Control, encodeItem } from '@wickstream/shared/entry-codec';
import { shardKeys, shardOf } from '@wickstream/shared/names';
import type { Quarantined, Tick } from '@wickstream/shared/tick';
import type { FailPoint } from './fail-point.ts';
import type { FeedClock } from './feed-clock.ts';
import type { ShedPair } from './line-shedding.ts';
import type { RedisLink } from './redis-link.ts';
import { createRefusalLimiter } from './refusal-limiter.ts';
import { createShardWriter, type ShardWriter } from './shard-writer.ts';

/** How much of a shard's waiting bytes stays when it is shed. */
export const SHED_KEPT_SHARE = 0.75;

const CHECK_EVERY_LINES = 256;

/**
 * What the writer is given. Order: `onShed` runs once per symbol and channel that lost ticks.
 * Limits: `bufferBytesMax` wait for Redis over all shards; live, the oldest quarter is shed then. The writes on their way come on top, at
 * most 4 MiB a shard.
 */
export type StreamWriterOptions = {
  readonly link: RedisLink;
  readonly clock: FeedClock;
  /** Until when every connection has been heard. Units: µs of the feed. */
  readonly heardUs: () => number;
  readonly failPoint: FailPoint;
  readonly venue: string;
  readonly producer: string;
  readonly boot: number;
  readonly prefix: string;
  readonly shards: number;
  readonly bufferBytesMax: number;
  readonly onShed: (pair: ShedPair) => void;
  readonly onFailure: (shard: number, error: Error) => void;
};

/** Writes ticks, refusals and controls into the shards' streams. */
export type StreamWriter = {
  writeTick(tick: Tick): void;
  /** Queues a refusal, limited per reason; one without a symbol goes to shard 0. */
  writeRefusal(refused: Quarantined): void;
  writeControl(control: Control): void;
  /** Queues the refusals that were only counted so far; with `all`, at once. */
  releaseRefusals(all?: boolean): void;
  /** Tries failed writes again at once. */
  wake(): void;
  /** Units: bytes. */
  bytes(): number;
  /** Resolves when everything is written; false when it was not within `deadlineMs`. */
  drain(deadlineMs: number): Promise<boolean>;
  readonly keys: readonly string[];
  readonly shards: readonly ShardWriter[];
  close(): void;
};

/** Creates the writers of all shards. Limits: `bufferBytesMax`. */
export function createStreamWriter(options: StreamWriterOptions): StreamWriter {
  const { link, clock, venue, heardUs } = options;
  const { bufferBytesMax } = options;
  const keys = Array.from({ length: options.shards }, (_, shard) => shardKeys(options.prefix, shard).ticks);
  const shards = keys.map((key, shard) =>
    createShardWriter({
      venue,
      producer: options.producer,
      boot: options.boot,
      nowUs: clock.nowUs,
      heardUs,
      onFailure: (error) => options.onFailure(shard, error),
      append: async (entries) => {
        options.failPoint('before_xadd');
        await link.append(key, entries);
        options.failPoint('after_xadd_before_reply');
      },
    }),
  );
  const limiters = shards.map(() => createRefusalLimiter());
  const shardBySymbol = new Map<string, number>();
  let linesUntilCheck = CHECK_EVERY_LINES;

  const bytes = (): number => shards.reduce((sum, shard) => sum + shard.bytes(), 0);

  const indexOf = (symbol: string): number => {
    const known = shardBySymbol.get(symbol);
    if (known !== undefined) return known;
    const index = symbol === '' ? 0 : shardOf(venue, symbol, shards.length);
    shardBySymbol.set(symbol, index);
    return index;
  };

  const shardAt = (index: number): ShardWriter => shards[index] as ShardWriter;

  const checkBuffer = (): void => {
    linesUntilCheck--;
    if (linesUntilCheck > 0) return;
    linesUntilCheck = CHECK_EVERY_LINES;
    if (!clock.replay && bytes() > bufferBytesMax) shards.forEach(shedShard);
  };

  const shedShard = (shard: ShardWriter): void => {
    for (const pair of shard.shed(SHED_KEPT_SHARE)) {
      options.onShed(pair);
      const { symbol, channel, count, conflated } = pair;
      if (channel === 'quarantined') continue;
      pushControl(shard, { kind: 'shed', symbol, channel, reason: 'buffer_full', count, conflated });
    }
  };

  const pushControl = (shard: ShardWriter, control: Control): void => {
    const channel = 'channel' in control ? control.channel : '';
    const text = encodeItem({ kind: 'control', control });
    const fold = `${control.kind} ${control.symbol} ${channel}`;
    const times = { clockUs: clock.nowUs(), heardUs: heardUs() };
    shard.push({ text, kind: 'control', symbol: control.symbol, ticks: 0, ...times, fold });
  };

  const pushRefusal = (shard: ShardWriter, refused: Quarantined): void => {
    const { symbol, count: ticks } = refused;
    const times = { clockUs: clock.nowUs(), heardUs: heardUs() };
    shard.push({ text: encodeItem(refused), kind: 'quarantined', symbol, ticks, ...times });
  };

  return {
    keys,
    shards,
    bytes,
    writeTick: (tick) => {
      const { kind, symbol } = tick;
      const text = encodeItem(tick);
      shardAt(indexOf(symbol)).push({ text, kind, symbol, ticks: 1, clockUs: clock.nowUs(), heardUs: heardUs() });
      checkBuffer();
    },
    writeRefusal: (refused) => {
      const index = indexOf(refused.symbol);
      const admitted = limiters[index]?.admit(refused, performance.now());
      if (admitted === undefined) return;
      pushRefusal(shardAt(index), admitted);
      checkBuffer();
    },
    writeControl: (control) => {
      pushControl(shardAt(indexOf(control.symbol)), control);
      checkBuffer();
    },
    releaseRefusals: (all = false) => {
      limiters.forEach((limiter, index) => {
        for (const refused of limiter.release(performance.now(), all)) pushRefusal(shardAt(index), refused);
      });
    },
    wake: () => {
      for (const shard of shards) shard.wake();
    },
    drain: async (deadlineMs) => {
      const deadline = new Promise<boolean>((resolve) => setTimeout(resolve, deadlineMs, false).unref());
      return Promise.race([deadline, Promise.all(shards.map((shard) => shard.drained())).then(() => true)]);
    },
    close: () => {
      for (const shard of shards) shard.close();
    },
  };
}
