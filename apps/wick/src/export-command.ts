/**
 * The command `wick export`: candles or ticks of a range into a CSV or a Parquet file.
 * It must not leave half a file under the name that was asked for.
 */
import { resolve } from 'node:path';
import { createApiClient } from './api-client.ts';
import { type Options, readOptions } from './command-options.ts';
import { writeCsv } from './csv-file.ts';
import {
  candleColumns,
  type ExportRange,
  type Piece,
  readCandles,
  readTicks,
  type TickKind,
  tickColumns,
} from './export-rows.ts';
import { columnOf, writeParquet } from './parquet-file.ts';
import { withReader } from './reader-session.ts';
import { findPlace, type RunningPlace } from './running-place.ts';
import { UsageError } from './usage-error.ts';

// A statement is a day of one symbol; the busiest takes minutes to be written.
const STATEMENT_TIMEOUT_MS = 1_800_000;

/** Exports. Shape: prints how many rows went where. Errors: UsageError. */
export async function runExport(args: string[]): Promise<number> {
  const options = readOptions('export', args);
  const what = options.choice('what', ['candles', 'trades', 'quotes', 'tickers']);
  const range = readRange(options);
  const out = resolve(process.env.INIT_CWD ?? process.cwd(), options.required('out'));
  const write = writerOf(out, options.text('format'));
  const place = await findPlace(options.text('api'));
  const rows =
    what === 'candles'
      ? await exportCandles(options, place, range, write)
      : await exportTicks(kindOf(what, options), place, range, write);
  const said = `${rows} ${what} of ${range.symbol} in ${out}`;
  console.log(options.flag('json') ? JSON.stringify({ ...range, what, rows, file: out }, null, 2) : said);
  return 0;
}

function exportCandles(options: Options, place: RunningPlace, range: ExportRange, write: Write): Promise<number> {
  const hop = options.text('hop');
  const question = {
    interval: options.text('interval') ?? '1m',
    source: options.choice('source', ['trade', 'mid']),
    fill: options.choice('fill', ['none', 'flat']),
    ...(hop === undefined ? {} : { hop }),
  };
  return write(candleColumns, readCandles(createApiClient(place.apiUrl), range, question));
}

function exportTicks(kind: TickKind, place: RunningPlace, range: ExportRange, write: Write): Promise<number> {
  return withReader(place.databaseUrl, STATEMENT_TIMEOUT_MS, (sql) =>
    write(tickColumns(kind), readTicks(sql, kind, range)),
  );
}

function kindOf(what: 'trades' | 'quotes' | 'tickers', options: Options): TickKind {
  if (what !== 'tickers') return what;
  return options.choice('window', ['1h', '1d']) === '1h' ? 'ticker_1h' : 'ticker_1d';
}

function readRange(options: Options): ExportRange {
  const symbol = options.required('symbol').toUpperCase();
  options.required('from');
  const fromMs = options.timeMs('from') ?? 0;
  const toMs = options.timeMs('to') ?? Date.now();
  if (fromMs >= toMs) throw new UsageError('--to must be later than --from.', 2);
  return { symbol, fromMs, toMs };
}

type Write = (columns: readonly string[], pieces: AsyncIterable<Piece>) => Promise<number>;

function writerOf(out: string, given: string | undefined): Write {
  const format = given ?? (/\.parquet$/i.test(out) ? 'parquet' : 'csv');
  if (format === 'csv') return (columns, pieces) => writeCsv(out, columns, pieces);
  if (format !== 'parquet') throw new UsageError(`--format must be csv or parquet; got "${format}".`, 2);
  if (/\.gz$/i.test(out)) throw new UsageError('Parquet is compressed inside; name the file without .gz.', 2);
  return (columns, pieces) => writeParquet(out, columns.map(columnOf), pieces);
}
