import { type Engine, engines } from '@wickstream/servers/fixture';
import { decodeLiveCommit, type LiveCommit } from '@wickstream/shared/live-codec';
import { shardKeys, shardOf } from '@wickstream/shared/names';
import type { Quote, Trade } from '@wickstream/shared/tick';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { barsOf } from './oracle.ts';
import { controlOf, createProducer, createTape, START_US, tickerOf, tradeOf } from './producer.ts';
import { createRig, type Rig, SHARDS, until } from './rig.ts';

const SYMBOLS = ['AAAUSDT', 'BBBUSDT', 'CCCUSDT', 'A"B{,}'.replace(',', '')];
const MINUTE_US = 60_000_000;

/** Writes a tape as one producer does: an entry of a few ticks a shard, in order. */
async function writeTape(
  rig: Rig,
  tape: readonly (Trade | Quote)[],
  size: number,
  boot = 1,
  from = 0,
  to = tape.length,
) {
  const producers = Array.from({ length: SHARDS }, () => createProducer('ingest-1', boot));
  for (let i = 0; i < to; i += size) {
    const part = tape.slice(i, Math.min(i + size, to));
    for (let shard = 0; shard < SHARDS; shard++) {
      const items = part.filter((tick) => shardOf('binance', tick.symbol, SHARDS) === shard);
      const clockUs = (part.at(-1)?.receivedAtUs ?? START_US) + 1;
      const entry = producers[shard]?.entry(items, clockUs);
      if (entry !== undefined && i >= from) await rig.addTo(shard, entry);
    }
  }
}

async function expectTape(rig: Rig, tape: readonly (Trade | Quote)[]): Promise<void> {
  const { sql } = rig.database;
  const trades = tape.filter((tick) => tick.kind === 'trade').map((tick) => `${tick.symbol} ${tick.id}`);
  const quotes = tape.filter((tick) => tick.kind === 'quote').map((tick) => `${tick.symbol} ${tick.id}`);
  const storedTrades = await sql`select symbol || ' ' || id as name from trades`;
  const storedQuotes = await sql`select symbol || ' ' || id as name from quotes`;
  expect(storedTrades.map((row) => row.name).sort()).toEqual(trades.sort());
  expect(storedQuotes.map((row) => row.name).sort()).toEqual(quotes.sort());
  expect(await storedBars(rig)).toEqual(barsOf(tape));
}

// The views may be a refresh behind; bars_exact is what candles are made of.
async function storedBars(rig: Rig): Promise<Record<string, unknown>> {
  const rows = await rig.database.sql`
    select b.symbol, source, ts_to_us(bucket)::text as bucket, open::text, high::text, low::text, close::text, trades::text,
      trim_scale(volume)::text as volume, trim_scale(quote_volume)::text as "quoteVolume"
    from symbols s, unnest(array['trade', 'mid']) source,
      lateral bars_exact('1m', source, s.venue, s.symbol, '2020-01-01', '2100-01-01') b`;
  return Object.fromEntries(rows.map(({ symbol, source, bucket, ...bar }) => [`${symbol} ${source} ${bucket}`, bar]));
}

async function liveCommits(rig: Rig): Promise<LiveCommit[]> {
  const commits: LiveCommit[] = [];
  for (let shard = 0; shard < SHARDS; shard++) {
    for (const [, fields] of await rig.client.xrange(shardKeys('', shard).bars, '-', '+')) {
      commits.push(decodeLiveCommit(fields[1] as string));
    }
  }
  return commits;
}

function newestLiveBars(commits: readonly LiveCommit[]): Record<string, unknown> {
  const bars: Record<string, unknown> = {};
  for (const commit of commits) {
    for (const { symbol, source, bucketUs, open, high, low, close, trades, volume, quoteVolume } of commit.bars) {
      const bar = { open, high, low, close, trades: String(trades), volume, quoteVolume };
      bars[`${symbol} ${source} ${bucketUs}`] = bar;
    }
  }
  return bars;
}

async function expectBalance(rig: Rig): Promise<void> {
  const rows = await rig.database.sql`
    select channel, sum(received - stored - duplicate - quarantined - shed - conflated - lost)::int as rest from counters group by 1`;
  for (const row of rows) expect(row).toMatchObject({ rest: 0 });
}

describe.each(await engines())('an aggregator on $name', (engine: Engine) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await createRig(engine);
  });
  afterAll(() => rig.close());

  it('stores a tape once, with bars in the database and in the live stream that equal a recomputation', async () => {
    const tape = createTape(1, SYMBOLS, 3_000, 300_000);
    const app = await rig.start();
    await writeTape(rig, tape, 40);
    await rig.whenStored();
    await expectTape(rig, tape);
    await until(
      async () => {
        const live = newestLiveBars(await liveCommits(rig));
        return JSON.stringify(Object.entries(live).sort()) === JSON.stringify(Object.entries(barsOf(tape)).sort());
      },
      5_000,
      'the live stream held every bar as recomputed',
    );
    await expectBalance(rig);
    const status = await (await fetch(`${app.baseUrl}/status`)).json();
    expect(status).toMatchObject({ gaps: { open: 0, ids: 0 }, shards: [{ shard: 0 }, { shard: 1 }] });
    const metrics = await (await fetch(`${app.baseUrl}/metrics`)).text();
    const trades = tape.filter((tick) => tick.kind === 'trade').length;
    expect(metrics).toContain(`wick_stored_ticks_total{channel="trade"} ${trades}`);
    for (const name of [
      'wick_gaps_open',
      'wick_shard_lag_ms',
      'wick_commit_seconds',
      'wick_candle_staleness_seconds',
    ]) {
      expect(metrics).toContain(name);
    }
    const beganMs = Date.now();
    await app.stop();
    expect(Date.now() - beganMs).toBeLessThan(10_000);
    expect(app.child.exitCode).toBe(0);
    expect(await rig.client.keys('lease:*')).toEqual([]);
  });

  it('drops a whole tape that comes again, and counts it as duplicate', async () => {
    const tape = createTape(1, SYMBOLS, 3_000, 300_000);
    const app = await rig.start();
    await writeTape(rig, tape, 40);
    await writeTape(rig, tape.slice(-20), 20, 2);
    await rig.whenStored();
    await expectTape(rig, tape);
    await expectBalance(rig);
    const [row] = await rig.database.sql`select sum(duplicate)::int as duplicate, sum(lost)::int as lost from counters`;
    expect(row).toEqual({ duplicate: 3_020, lost: 0 });
    await app.stop();
  });

  it('publishes a late tick of an hour ago as the whole bar it is in the database, with its revision', async () => {
    const app = await rig.start();
    const producer = createProducer('late', 1);
    const tsUs = START_US + 30_000_000;
    const before = await rig.database.sql`select count(*)::int as number from trades where symbol = 'AAAUSDT'`;
    await rig.add(
      'AAAUSDT',
      producer.entry([tradeOf('AAAUSDT', 900, tsUs, { price: '7' })], START_US + 3_600_000_000, 'import'),
    );
    await rig.whenStored();
    const after = await rig.database.sql`select count(*)::int as number from trades where symbol = 'AAAUSDT'`;
    expect(after[0]?.number).toBe(before[0]?.number + 1);
    await until(
      async () => {
        const bars = (await liveCommits(rig)).flatMap((commit) => commit.bars);
        return bars.some((bar) => bar.symbol === 'AAAUSDT' && bar.bucketUs === START_US && bar.low === '7');
      },
      5_000,
      'the old bar was published',
    );
    const late = (await liveCommits(rig)).flatMap((commit) => commit.late).filter((one) => one.bucketUs === START_US);
    expect(late.at(-1)).toMatchObject({ symbol: 'AAAUSDT', source: 'trade' });
    const [gap] = await rig.database.sql`select from_id::int, to_id::int, state from gaps where symbol = 'AAAUSDT'`;
    expect(gap).toEqual({ from_id: 901, to_id: 999, state: 'unwanted' });
    await app.stop();
  });
});

describe.each(await engines())('faults on $name', (engine: Engine) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await createRig(engine);
  });
  afterAll(() => rig.close());

  it('loses and doubles nothing when it dies at each fail point', async () => {
    const tape = createTape(2, SYMBOLS, 1_200, 200_000);
    const points = ['before_commit@2', 'after_commit_before_ack@1', 'before_trim@2'];
    for (const [i, point] of points.entries()) {
      const app = await rig.start({ WICK_FAILPOINT: point, REPLAY: '1' });
      await writeTape(rig, tape, 30, 1, i * 300, (i + 1) * 300);
      await until(() => app.child.signalCode === 'SIGKILL', 15_000, `the armed point ${point} was passed`);
    }
    await rig.start();
    await writeTape(rig, tape, 30, 1, 900);
    await rig.whenStored();
    await expectTape(rig, tape);
    await expectBalance(rig);
  }, 60_000);
});

describe.each(await engines())('two aggregators on $name', (engine: Engine) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await createRig(engine);
  });
  afterAll(() => rig.close());

  it('share the shards, and the one left takes all when the other dies', async () => {
    const tape = createTape(3, SYMBOLS, 2_000, 200_000);
    const first = await rig.start();
    const second = await rig.start();
    const shardsOf = async (baseUrl: string): Promise<number> => {
      const status = (await (await fetch(`${baseUrl}/status`)).json()) as { shards: unknown[] };
      return status.shards.length;
    };
    await until(
      async () => (await shardsOf(first.baseUrl)) === 1 && (await shardsOf(second.baseUrl)) === 1,
      10_000,
      'each held one shard',
    );
    await writeTape(rig, tape, 20, 1, 0, 1_000);
    await first.kill9();
    await writeTape(rig, tape, 20, 1, 1_000);
    await rig.whenStored(20_000);
    expect(await shardsOf(second.baseUrl)).toBe(2);
    await expectTape(rig, tape);
    await expectBalance(rig);
  });
});

describe.each(await engines())('a zombie on $name', (engine: Engine) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await createRig(engine);
  });
  afterAll(() => rig.close());

  it('that wakes after another took its shards stores nothing twice and lets go', async () => {
    const zombie = await rig.start();
    const producer = createProducer('ingest-1', 1);
    const write = async (from: number, to: number): Promise<void> => {
      for (let id = from; id <= to; id++) {
        const atUs = START_US + id * 1000;
        await rig.add('ZZZUSDT', producer.entry([tradeOf('ZZZUSDT', id, atUs)], atUs));
      }
    };
    await write(1, 20);
    await rig.whenStored();
    const writing = write(21, 120);
    zombie.child.kill('SIGSTOP');
    await writing;
    await rig.start();
    await rig.whenStored(15_000);
    const [taken] = await rig.database.sql`select max(term)::int as term from shard_offsets`;
    expect(taken?.term).toBeGreaterThan(1);
    zombie.child.kill('SIGCONT');
    await write(121, 200);
    await rig.whenStored();
    const [row] = await rig.database.sql`select count(*)::int as number, count(distinct id)::int as ids from trades`;
    expect(row).toEqual({ number: 200, ids: 200 });
    await expectBalance(rig);
  }, 40_000);
});

describe.each(await engines())('a stream on $name', (engine: Engine) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await createRig(engine);
  });
  afterAll(() => rig.close());

  it('that was flushed is taken from its beginning, and the loss is a gap and an unobserved time', async () => {
    await rig.start();
    const producer = createProducer('ingest-1', 1);
    const entry = (id: number, atUs: number) =>
      producer.entry([tradeOf('AAAUSDT', id, atUs), tickerOf('AAAUSDT', atUs)], atUs + 10);
    await rig.add('AAAUSDT', entry(1, START_US));
    await rig.whenStored();
    const lost = entry(2, START_US + 1_000_000);
    expect(lost.d).toContain('AAAUSDT');
    await rig.client.flushall();
    await rig.add('AAAUSDT', entry(3, START_US + 2_000_000));
    await rig.whenStored();
    const gaps = await rig.database.sql`select from_id::int as from, to_id::int as to, state from gaps`;
    expect(gaps).toEqual([{ from: 2, to: 2, state: 'open' }]);
    const [counts] = await rig.database.sql`select sum(lost)::int as lost from counters`;
    expect(counts).toEqual({ lost: 2 });
    await expectBalance(rig);
    await rig.add(
      'AAAUSDT',
      producer.entry([tradeOf('AAAUSDT', 2, START_US + 1_000_000)], START_US + 3_000_000, 'repair'),
    );
    await rig.whenStored();
    expect(await rig.database.sql`select * from gaps`).toHaveLength(0);
  });

  it('with one row that the database refuses loses that row alone, to quarantine', async () => {
    const producer = createProducer('poison', 1);
    const tsUs = START_US + 10 * MINUTE_US;
    const items = Array.from({ length: 30 }, (_, i) => tradeOf('POISON', i + 1, tsUs + i));
    // More digits than numeric takes: it is positive and exact, and only the database can refuse it.
    items[17] = tradeOf('POISON', 18, tsUs + 17, { price: `1${'0'.repeat(140_000)}` });
    await rig.add('POISON', producer.entry([controlOf({ kind: 'remove', symbol: 'NONE' })], tsUs, 'control'));
    await rig.add('POISON', producer.entry(items, tsUs + 100));
    await rig.add('POISON', producer.entry([tradeOf('POISON', 31, tsUs + 40)], tsUs + 200));
    await rig.whenStored(20_000);
    const rows = await rig.database.sql`select id::int as id from trades where symbol = 'POISON' order by id`;
    expect(rows.map((row) => row.id)).toEqual(Array.from({ length: 31 }, (_, i) => i + 1).filter((id) => id !== 18));
    const refused = await rig.database.sql`select reason, id::int as id from quarantine where symbol = 'POISON'`;
    expect(refused).toEqual([{ reason: 'rejected_by_database', id: 18 }]);
    const gaps = await rig.database.sql`select from_id::int as from, state from gaps where symbol = 'POISON'`;
    expect(gaps).toEqual([{ from: 18, state: 'quarantined' }]);
    await expectBalance(rig);
  });

  it('survives Redis and database being killed', async () => {
    const producer = createProducer('restart', 1);
    const tsUs = START_US + 20 * MINUTE_US;
    await rig.add('RRR', producer.entry([tradeOf('RRR', 1, tsUs)], tsUs));
    await rig.whenStored();
    await rig.redis.kill9();
    await rig.redis.restart();
    await rig.add('RRR', producer.entry([tradeOf('RRR', 2, tsUs + 1)], tsUs + 1));
    await rig.whenStored(20_000);
    await rig.database.sql`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'wickstream-aggregator' and datname = current_database()`;
    await rig.add('RRR', producer.entry([tradeOf('RRR', 3, tsUs + 2)], tsUs + 2));
    await rig.whenStored(20_000);
    const [row] = await rig.database.sql`select count(*)::int as number from trades where symbol = 'RRR'`;
    expect(row).toEqual({ number: 3 });
  });
});

describe('a Redis at its memory limit', async () => {
  const engine = (await engines()).at(-1) as Engine;
  let rig: Rig;
  beforeAll(async () => {
    rig = await createRig(engine, ['--maxmemory', '6mb']);
  });
  afterAll(() => rig.close());

  it('is drained by an aggregator that starts then, and takes entries again', async () => {
    const producer = createProducer('ingest-1', 1);
    let id = 0;
    const add = async (): Promise<boolean> => {
      const items = Array.from({ length: 100 }, () => tradeOf('FULLUSDT', ++id, START_US + id * 1000));
      const entry = producer.entry(items, START_US + id * 1000);
      for (let attempt = 0; attempt < 2; attempt++) {
        const written = await rig.add('FULLUSDT', entry).catch((error: Error) => error);
        if (typeof written === 'string') return true;
        expect(written.message).toMatch(/^OOM/);
        refused = entry;
      }
      return false;
    };
    let refused: ReturnType<typeof producer.entry> | undefined;
    while (await add());
    await rig.start();
    await until(
      async () => typeof (await rig.add('FULLUSDT', refused as never).catch(() => undefined)) === 'string',
      15_000,
      'Redis took the refused entry',
    );
    await rig.whenStored();
    const [row] = await rig.database.sql`select count(*)::int as number, count(distinct id)::int as ids from trades`;
    expect(row).toEqual({ number: id, ids: id });
    const [counts] = await rig.database.sql`select sum(lost)::int as lost from counters`;
    expect(counts).toEqual({ lost: 0 });
  }, 40_000);
});
