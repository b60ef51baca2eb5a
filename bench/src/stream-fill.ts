/**
 * Writes ticks into the shards' streams as an ingest would have, so that an aggregator finds a backlog.
 * It must use the contract's codec and names.
 */
import { encodeHeader, encodeItem } from '@wickstream/shared/entry-codec';
import { ENTRY_FIELDS, shardKeys } from '@wickstream/shared/names';
import type { Trade } from '@wickstream/shared/tick';
import { Redis } from 'ioredis';

/** Lines of one entry, as ingest writes them under load. */
export const LINES_PER_ENTRY = 500;

const IN_FLIGHT = 32;

/** Appends trades to the stream of a shard. Order: as they come. */
export async function fillStream(url: string, prefix: string, shard: number, trades: Iterable<Trade>): Promise<void> {
  const redis = new Redis(url);
  const key = shardKeys(prefix, shard).ticks;
  let lines: string[] = [];
  let n = 0;
  let before = 0;
  let clockUs = 0;
  let sent: Promise<unknown>[] = [];
  const append = async (): Promise<void> => {
    n++;
    const counts = { trade: before, quote: 0, ticker: 0, quarantined: 0 };
    const run = { origin: 'live', venue: 'binance', producer: 'bench', boot: 1 } as const;
    const header = encodeHeader({ ...run, n, before: counts, clockUs });
    before += lines.length;
    sent.push(redis.xadd(key, '*', ENTRY_FIELDS.header, header, ENTRY_FIELDS.lines, lines.join('\n')));
    lines = [];
    if (sent.length < IN_FLIGHT) return;
    await Promise.all(sent);
    sent = [];
  };
  for (const trade of trades) {
    clockUs = Math.max(clockUs, trade.receivedAtUs);
    lines.push(encodeItem(trade));
    if (lines.length === LINES_PER_ENTRY) await append();
  }
  if (lines.length > 0) await append();
  await Promise.all(sent);
  await redis.quit();
}
