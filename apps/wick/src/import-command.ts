/**
 * The command `wick import`: files of trades through the stream into the database, resumable at any moment, and their candles verified.
 * It must not write ticks itself, nor hold a whole file.
 */
import { createApiClient } from './api-client.ts';
import { formatTime, type Options, readOptions } from './command-options.ts';
import { type LineSource, openLines } from './history/byte-source.ts';
import { type HistoryPlace, openHistoryPlace } from './history/history-place.ts';
import { type ImportedFile, importFile, type SymbolImport } from './history/import-file.ts';
import { type KlineVerdict, verifyKlines } from './history/kline-check.ts';
import { createKnownIds } from './history/known-ids.ts';
import type { MinuteComparison } from './history/minute-sums.ts';
import { formatCount, formatProgress } from './history/progress-line.ts';
import { compareMinutes, formatDifferences, refreshRange } from './history/settle-candles.ts';
import { listTradeFiles, type TradeFile } from './history/trade-files.ts';
import { findPlace } from './running-place.ts';
import { createTerminal, type Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** What became of a symbol's files. Units: ms, `toMs` exclusive; rows of files, ids. */
export type ImportOutcome = {
  readonly symbol: string;
  readonly files: number;
  readonly rows: number;
  readonly sent: number;
  readonly known: number;
  readonly nullTrades: number;
  readonly missingIds: number;
  readonly openIds: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly minutes: number;
  readonly differentMinutes: number;
};

const FILES_MAX = 100_000;
const SHOW_EVERY_MS = 250;

/** Imports. Shape: 0 when every candle holds what the files say, 1 when one does not or it could not go on, 2 for a wrong command. */
export async function runImport(args: string[]): Promise<number> {
  const options = readOptions('import', args, FILES_MAX);
  if (options.positionals.length === 0) {
    throw new UsageError('Name files or folders of trades; npm run wick -- import --help says which.', 2);
  }
  const files = await listTradeFiles(options.positionals, options.text('symbol'));
  const place = await findPlace(options.text('api'));
  const terminal = createTerminal(process.stderr);
  const history = await openHistoryPlace(place, `import-${process.pid}`);
  try {
    const startedMs = Date.now();
    const outcomes = await importAll(files, history, options, terminal);
    const klines = await verifyKlines(createApiClient(place.apiUrl), options.text('klines'), outcomes);
    terminal.close();
    return report({ outcomes, klines, elapsedMs: Date.now() - startedMs }, options);
  } finally {
    terminal.close();
    await history.close();
  }
}

type Compared = ImportOutcome & { readonly comparison: readonly MinuteComparison[] };

async function importAll(
  files: TradeFile[],
  history: HistoryPlace,
  options: Options,
  terminal: Terminal,
): Promise<Compared[]> {
  const sources = await Promise.all(files.map(({ path }) => openLines(path)));
  const progress = showProgress(sources, terminal);
  const outcomes: Compared[] = [];
  for (const [symbol, own] of Map.groupBy(files, (file) => file.symbol)) {
    const shared = await openSymbol(symbol, history);
    const imported: ImportedFile[] = [];
    const { database } = history;
    const tools = { database, keep: !options.flag('no-keep'), nowUs: () => Date.now() * 1000, onRows: progress.rows };
    for (const file of own) {
      const source = sources[files.indexOf(file)] as LineSource;
      const one = await importFile(file, source, shared, tools);
      if (one === undefined) terminal.say(`${file.path} holds no trades`);
      else imported.push(one);
    }
    await shared.feeder.drain();
    // A symbol at a time, since what its files said of each minute is held until it is compared.
    if (imported.length > 0) outcomes.push(await settle(symbol, imported, history, terminal));
  }
  return outcomes;
}

async function openSymbol(
  symbol: string,
  { database, venue, graceUs, refuseSimulated, openFeeder }: HistoryPlace,
): Promise<SymbolImport> {
  await refuseSimulated(symbol);
  const feeder = await openFeeder(symbol);
  const known = await database.known(venue, symbol);
  const last = { lastId: known?.lastId, lastTsUs: known?.lastTsUs ?? 0 };
  return { symbol, feeder, known: createKnownIds(known), graceUs, ...last, fileEndUs: undefined, fileLastId: -1 };
}

function showProgress(sources: readonly LineSource[], terminal: Terminal) {
  const startedMs = Date.now();
  const total = sources.reduce((sum, { bytes }) => sum + bytes, 0);
  let rows = 0;
  let shownMs = 0;
  return {
    rows: (added: number): void => {
      rows += added;
      const nowMs = Date.now();
      if (nowMs - shownMs < SHOW_EVERY_MS) return;
      shownMs = nowMs;
      const read = sources.reduce((sum, source) => sum + source.bytesRead(), 0);
      terminal.live(formatProgress({ done: read, total, rows, elapsedMs: nowMs - startedMs }, 'trades'));
    },
  };
}

async function settle(
  symbol: string,
  files: readonly ImportedFile[],
  { database, venue }: HistoryPlace,
  terminal: Terminal,
): Promise<Compared> {
  const range = { venue, symbol, fromUs: lowest(files), toUs: highest(files) + 1 };
  const showLeft = (left: number) => terminal.live(`${formatCount(left)} minutes of candles are being made`);
  await refreshRange(database, range, showLeft);
  const comparison: MinuteComparison[] = [];
  for (const { span, sums } of files) {
    terminal.live(`comparing ${symbol} ${formatTime(span.fromTsUs / 1000)} with what was read`);
    const own = { ...range, fromUs: span.fromTsUs, toUs: span.toTsUs + 1 };
    comparison.push(await compareMinutes(database, own, sums));
  }
  const sum = (of: (file: ImportedFile) => number) => files.reduce((total, file) => total + of(file), 0);
  const fromId = files.reduce((least, { span }) => Math.min(least, span.fromId), Number.POSITIVE_INFINITY);
  const toId = files.reduce((most, { span }) => Math.max(most, span.toId), 0);
  return {
    ...{ symbol, files: files.length, rows: sum((file) => file.rows), sent: sum((file) => file.sent) },
    ...{ known: sum((file) => file.known), nullTrades: sum((file) => file.nullTrades) },
    missingIds: sum((file) => file.missingIds),
    openIds: await database.openIds(venue, symbol, fromId, toId),
    ...{ fromMs: Math.floor(range.fromUs / 1000), toMs: Math.ceil(range.toUs / 1000) },
    minutes: comparison.reduce((total, one) => total + one.minutes, 0),
    differentMinutes: comparison.reduce((total, one) => total + one.different, 0),
    comparison,
  };
}

function lowest(files: readonly ImportedFile[]): number {
  return files.reduce((least, { span }) => Math.min(least, span.fromTsUs), Number.POSITIVE_INFINITY);
}

function highest(files: readonly ImportedFile[]): number {
  return files.reduce((most, { span }) => Math.max(most, span.toTsUs), Number.NEGATIVE_INFINITY);
}

type Result = {
  readonly outcomes: readonly Compared[];
  readonly klines: readonly KlineVerdict[];
  readonly elapsedMs: number;
};

function report({ outcomes, klines, elapsedMs }: Result, options: Options): number {
  const rows = outcomes.reduce((sum, outcome) => sum + outcome.rows, 0);
  const rowsPerSecond = Math.round(rows / Math.max(0.001, elapsedMs / 1000));
  const isEqual = outcomes.every((one) => one.differentMinutes === 0) && klines.every((one) => one.different === 0);
  const isWell = isEqual && outcomes.length > 0;
  if (options.flag('json')) {
    const symbols = outcomes.map(({ comparison: _, ...outcome }) => outcome);
    console.log(JSON.stringify({ symbols, klines, elapsedMs, rowsPerSecond, verified: isWell }, null, 2));
  } else {
    for (const outcome of outcomes) for (const line of formatOutcome(outcome)) console.log(line);
    for (const { text } of klines) console.log(text);
    if (outcomes.length === 0) console.log('the files hold no trades');
    else
      console.log(`${formatCount(rows)} trades in ${(elapsedMs / 1000).toFixed(1)} s, ${formatCount(rowsPerSecond)}/s`);
  }
  return isWell ? 0 : 1;
}

function formatOutcome(outcome: Compared): string[] {
  const { symbol, files, sent, known, missingIds, openIds, nullTrades, minutes, differentMinutes, comparison } =
    outcome;
  const gaps =
    missingIds > 0
      ? [`${formatCount(missingIds)} ids missing in the files, ${formatCount(openIds)} of their range open for repair`]
      : [];
  const nulls = nullTrades > 0 ? [`${formatCount(nullTrades)} null trades kept out`] : [];
  const verdict =
    differentMinutes === 0
      ? `${formatCount(minutes)} minutes equal`
      : `${formatCount(differentMinutes)} of ${formatCount(minutes)} minutes DIFFERENT`;
  const facts = [
    `${formatCount(sent)} trades stored`,
    `${formatCount(known)} known already`,
    ...gaps,
    ...nulls,
    verdict,
  ];
  const range = `${formatTime(outcome.fromMs)} to ${formatTime(outcome.toMs)}`;
  const line = `${symbol}: ${files} ${files === 1 ? 'file' : 'files'}, ${range}: ${facts.join(', ')}`;
  return [...comparison.flatMap((one) => formatDifferences(symbol, one)), line];
}
