/**
 * The bench `import`: a data.binance.vision file of three million trades through `wick import` and one aggregator.
 * It must run the command as a user would, verification included.
 */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type CommandResult, lastLines, runCommand } from '@wickstream/servers/command';
import { startApp, type TestDatabase } from '@wickstream/servers/fixture';
import { checkout, openTemporaryFolder } from '@wickstream/servers/server-folder';
import { freshDatabase, freshRedis } from '../engines.ts';
import { whole } from '../format.ts';
import type { Scenario } from '../scenario.ts';
import { makeTrades } from '../tape.ts';

const TRADES = 3_000_000;
const QUICK_TRADES = 30_000;
const PER_SECOND_MIN = 100_000;
const DAY = '2024-08-08';
const SYMBOL = 'BENCHUSDT';

/** The bench `import`. */
export const importing: Scenario = {
  name: 'import',
  what: `a data.binance.vision file of ${whole(TRADES)} trades by wick import, one aggregator`,
  target: `≥ ${whole(PER_SECOND_MIN)}/s on TimescaleDB`,
  perEngine: true,
  run: async ({ engine, form, closing }) => {
    const trades = form === 'quick' ? QUICK_TRADES : TRADES;
    const file = join((await openTemporaryFolder()).path, `${SYMBOL}-trades-${DAY}.csv`);
    await pipeline(Readable.from(linesOf(trades)), createWriteStream(file));
    const redis = await freshRedis();
    closing(redis.close);
    const database = await freshDatabase(engine);
    closing(database.close);
    const env = {
      ...{ FEED: 'binance', REPLAY: '0', REDIS_PREFIX: '', SHARDS: '4', BACKFILL_HOURS: '0', RETENTION_DAYS: '0' },
      ...{ REDIS_URL: redis.url, DATABASE_URL: database.url, BINANCE_REST_URL: 'http://127.0.0.1:9' },
    };
    const aggregator = await startApp('aggregator', { ...env, AGGREGATOR_PORT: '0' });
    closing(aggregator.stop);
    const main = join(checkout, 'apps/wick/src/main.ts');
    const startedMs = performance.now();
    const command = runCommand(process.execPath, [main, 'wick', 'import', file, '--api', 'http://127.0.0.1:9'], {
      ...{ cwd: checkout, env, timeoutMs: 300_000 },
    });
    await Promise.race([waitForStored(database, trades), command.then(failEarly)]);
    const storedMs = performance.now() - startedMs;
    const output = await command;
    const wholeMs = performance.now() - startedMs;
    if (output.code !== 0) throw new Error(whyEnded(output));
    const perSecond = (trades / storedMs) * 1000;
    return {
      result: `${whole(perSecond)}/s from the command's start until all ${whole(trades)} were stored; ${(wholeMs / 1000).toFixed(1)} s with its verification`,
      passed: engine.name === 'timescaledb' ? perSecond >= PER_SECOND_MIN : undefined,
      figures: { perSecond, storedMs, wholeMs },
    };
  },
};

/** Lines of 1,000 trades: id, price, quantity, quote quantity, time in ms, buyer is maker, best match. */
function* linesOf(trades: number): Generator<string> {
  const fromUs = Date.parse(`${DAY}T00:00:00Z`) * 1000;
  let lines = '';
  let count = 0;
  for (const trade of makeTrades(
    { symbol: SYMBOL, seed: 11, fromUs, perSecond: trades / (86_400 * 0.99) },
    trades,
    1_000,
  )) {
    const { id, price, quantity, tsUs, buyerMaker } = trade;
    const value = (Number(price) * Number(quantity)).toFixed(8);
    lines += `${id},${price},${quantity},${value},${tsUs / 1000},${buyerMaker ? 'True' : 'False'},True\n`;
    if (++count % 1_000 !== 0) continue;
    yield lines;
    lines = '';
  }
  if (lines !== '') yield lines;
}

async function waitForStored({ sql }: TestDatabase, trades: number): Promise<void> {
  for (;;) {
    const [row] = await sql<
      { stored: string }[]
    >`select coalesce(sum(stored), 0) as stored from counters where channel = 'trade'`;
    if (Number(row?.stored) >= trades) return;
    await delay(50);
  }
}

async function failEarly(output: CommandResult): Promise<void> {
  if (output.code !== 0) throw new Error(whyEnded(output));
  // It ended well, so everything is stored, or about to be.
  await delay(60_000);
}

function whyEnded({ code, stdout, stderr }: CommandResult): string {
  return `wick import ended with ${code}: ${lastLines(stderr + stdout)}`;
}
