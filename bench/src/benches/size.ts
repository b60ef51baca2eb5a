/**
 * The bench `size`: bytes on disk of a trade and of a quote, indexes included, after the job that compresses old days.
 * It must run that job's own procedure, not something better.
 */
import type { TestDatabase } from '@wickstream/servers/fixture';
import { whole } from '../format.ts';
import type { Scenario } from '../scenario.ts';
import { storeDay } from '../stored-day.ts';

const TIMESCALE_BYTES_MAX = 20;

/** The bench `size`. */
export const size: Scenario = {
  name: 'size',
  what: 'bytes per trade and per quote on disk, indexes included, real-shaped day, after the compressing job has run',
  target: `stated; a trade ≤ ${TIMESCALE_BYTES_MAX} bytes on TimescaleDB`,
  perEngine: true,
  run: async (context) => {
    const day = await context.shared('day', () => storeDay(context.engine, context.form));
    const { sql } = day.database;
    const isTimescale = context.engine.name === 'timescaledb';
    const rows = { trades: await bytesOf(day.database, 'trades'), quotes: await bytesOf(day.database, 'quotes') };
    if (isTimescale) await compress(day.database);
    else await sql.unsafe('vacuum trades, quotes');
    const after = { trades: await bytesOf(day.database, 'trades'), quotes: await bytesOf(day.database, 'quotes') };
    const [perTrade, perQuote] = [after.trades / day.trades, after.quotes / day.quotes];
    return {
      result: `${perTrade.toFixed(1)} bytes a trade, ${perQuote.toFixed(1)} bytes a quote`,
      passed: isTimescale ? perTrade <= TIMESCALE_BYTES_MAX : undefined,
      details: [
        `${whole(day.trades)} trades, ${whole(day.quotes)} quotes; as stored live ${(rows.trades / day.trades).toFixed(0)} and ${(rows.quotes / day.quotes).toFixed(0)} bytes.`,
        ...(isTimescale ? ['Compressed by compress_ticks, the procedure of the aggregator’s own job.'] : []),
      ],
      figures: { bytesPerTrade: perTrade, bytesPerQuote: perQuote, liveBytesPerTrade: rows.trades / day.trades },
    };
  },
};

// The day lies before the shards' clock, but not by the age at which chunks are compressed in operation.
async function compress({ sql }: TestDatabase): Promise<void> {
  await sql.unsafe(`call compress_ticks('-2 days')`);
}

async function bytesOf({ sql }: TestDatabase, table: string): Promise<number> {
  const [row] = await sql<{ bytes: string }[]>`select bytes from stored_sizes() where relation = ${table}`;
  return Number(row?.bytes);
}
