/**
 * Imports one file: reads its rows, leaves out what is stored, sends the rest, and says at its end which ids and which time it held.
 * It must send nothing of a day that cannot be kept, and stop at the first line that it does not understand.
 */
import { UsageError } from '../usage-error.ts';
import type { LineSource } from './byte-source.ts';
import type { HistoryDatabase } from './history-database.ts';
import {
  controlLine,
  createImportEntries,
  type EntryStart,
  type IdSpan,
  type ImportEntry,
  want,
} from './import-entries.ts';
import type { KnownIds } from './known-ids.ts';
import { createMinuteSums, type MinuteSums } from './minute-sums.ts';
import type { StreamFeeder } from './stream-feeder.ts';
import { createTradeRowReader, type TradeRow, TradeRowError, type TradeRowReader } from './trade-csv.ts';
import type { TradeFile } from './trade-files.ts';

/** Most ids that a row may skip; more is taken for a damaged file. */
export const SKIPPED_IDS_MAX = 5_000_000;

/** What the files of one symbol share. Shape: `lastId` and `lastTsUs` are the highest that the ledger or a file before this one holds; `fileEndUs` the end of the file before, if its name says one. */
export type SymbolImport = {
  readonly symbol: string;
  readonly feeder: StreamFeeder;
  readonly known: KnownIds;
  readonly graceUs: number;
  lastId: number | undefined;
  lastTsUs: number;
  fileEndUs: number | undefined;
  fileLastId: number;
};

/** What an import is given besides. Shape: `keep` says whether retention is to spare its days; `onRows` hears of progress. Units: `nowUs` µs since the epoch. */
export type ImportTools = {
  readonly database: Pick<HistoryDatabase, 'keepDays' | 'retiredToUs'>;
  readonly keep: boolean;
  readonly nowUs: () => number;
  readonly onRows: (rows: number) => void;
};

/** What a file gave. Units: µs; counts of rows, `missingIds` ids. */
export type ImportedFile = {
  readonly file: TradeFile;
  readonly span: IdSpan;
  readonly rows: number;
  readonly sent: number;
  readonly known: number;
  readonly nullTrades: number;
  readonly missingIds: number;
  readonly sums: MinuteSums;
};

/** Imports a file. Returns undefined for one without rows. Errors: UsageError that names file, line and mend; what was sent before it stays. */
export async function importFile(
  file: TradeFile,
  source: LineSource,
  shared: SymbolImport,
  tools: ImportTools,
): Promise<ImportedFile | undefined> {
  const reading = createReading(file, shared, tools);
  const entries = createImportEntries(file.symbol, tools.nowUs());
  const keptDays = createKeptDays(file, tools);
  let lineNumber = 0;

  const send = async (entry: ImportEntry | undefined): Promise<void> => {
    if (entry === undefined) return;
    await keptDays.keep(entry.fromTsUs, entry.toTsUs);
    await shared.feeder.send({ origin: 'import', ...entry });
  };

  for await (const lines of source.lines()) {
    const rowsBefore = reading.rows;
    for (const line of lines) {
      lineNumber++;
      const row = readRow(reading, line);
      if (row instanceof TradeRowError) {
        await send(entries.take());
        await shared.feeder.drain();
        const stored = `What stands before it is stored; mend or remove the line and run the same command again.`;
        throw new UsageError(`${file.path}, line ${lineNumber}: ${row.message}. ${stored}`, 1, row);
      }
      if (row === undefined || reading.isKnown(row)) continue;
      entries.add(row, () => reading.startOf(row));
      reading.pass(row);
      if (entries.isFull()) await send(entries.take());
    }
    tools.onRows(reading.rows - rowsBefore);
  }
  await send(entries.take());
  return finish(reading, file, shared);
}

type Reading = ReturnType<typeof createReading>;

function readRow(reading: Reading, line: string): TradeRow | TradeRowError | undefined {
  try {
    const row = reading.read(line);
    if (row !== undefined) reading.enter(row);
    return row;
  } catch (error) {
    if (error instanceof TradeRowError) return error;
    throw error;
  }
}

// The rows of a file one after the other: what holds between a row and the one before it.
function createReading(file: TradeFile, shared: SymbolImport, tools: ImportTools) {
  const read: TradeRowReader = createTradeRowReader();
  const sums = createMinuteSums();
  const follows = file.period !== undefined && file.period.fromUs === shared.fileEndUs;
  let before: TradeRow | undefined;
  let untilUs = tools.nowUs() + AHEAD_MAX_US;
  const reading = {
    ...{ read, sums, rows: 0, sent: 0, known: 0, nullTrades: 0, missingIds: 0 },
    ...{ firstId: Number.POSITIVE_INFINITY, lastId: Number.NEGATIVE_INFINITY },
    ...{ firstTsUs: Number.POSITIVE_INFINITY, lastTsUs: Number.NEGATIVE_INFINITY },
    /** Takes a row in. Errors: TradeRowError for one that cannot stand here. */
    enter(row: TradeRow): void {
      if (row.tsUs > untilUs) {
        untilUs = tools.nowUs() + AHEAD_MAX_US;
        if (row.tsUs > untilUs)
          throw new TradeRowError(`its time ${new Date(row.tsUs / 1000).toISOString()} is in the future`);
      }
      const skipped = before === undefined ? 0 : row.id - reading.lastId - 1;
      if (skipped > SKIPPED_IDS_MAX)
        throw new TradeRowError(`its trade id ${row.id} skips ${skipped} ids after ${reading.lastId}`);
      if (skipped > 0 && before !== undefined) {
        reading.missingIds += skipped;
        sums.markPart(before.tsUs);
        sums.markPart(row.tsUs);
      }
      reading.rows++;
      if (row.isNull) reading.nullTrades++;
      else sums.add(row);
    },
    /** Notes a row that is stored already, and says whether it is. */
    isKnown(row: TradeRow): boolean {
      const isKnown =
        shared.known.isStored(row.id, row.lastId) || (row.isNull && shared.known.isRefused(row.id, row.lastId));
      if (!isKnown) return false;
      reading.known++;
      reading.note(row);
      return true;
    },
    /** Notes a row that is sent. */
    pass(row: TradeRow): void {
      reading.sent++;
      reading.note(row);
      // What was sent is in the stream before whatever follows, so for what follows the ledger ends with it.
      if (shared.lastId === undefined || row.lastId > shared.lastId) shared.lastId = row.lastId;
    },
    note(row: TradeRow): void {
      before = row;
      reading.firstId = Math.min(reading.firstId, row.id);
      reading.lastId = Math.max(reading.lastId, row.lastId);
      reading.firstTsUs = Math.min(reading.firstTsUs, row.tsUs);
      reading.lastTsUs = Math.max(reading.lastTsUs, row.tsUs);
    },
    /** Where an entry that begins with a row begins: behind the row before it, so that ids which the file lacks become a gap. */
    startOf(row: TradeRow): EntryStart {
      if (before !== undefined) {
        const fromId = reading.lastId + 1;
        return {
          fromId,
          fromTsUs: reading.lastTsUs,
          unwanted: undefined,
          goesOn: fromId === (shared.lastId ?? -1) + 1,
        };
      }
      const fromTsUs = periodStart(file, row.tsUs);
      if (follows && row.id > shared.fileLastId) {
        return {
          fromId: shared.fileLastId + 1,
          fromTsUs,
          unwanted: undefined,
          goesOn: shared.fileLastId === shared.lastId,
        };
      }
      return { fromId: row.id, fromTsUs, unwanted: betweenFiles(row, fromTsUs, shared), goesOn: false };
    },
  };
  return reading;
}

const AHEAD_MAX_US = 10_000_000;
const DAY_US = 86_400_000_000;

function periodStart({ period }: TradeFile, tsUs: number): number {
  return period !== undefined && tsUs >= period.fromUs && tsUs < period.toUs ? period.fromUs : tsUs;
}

// What lies between everything known and this file was not asked for. While somebody listens, it is missing from live data: then it stays open.
function betweenFiles(row: TradeRow, fromTsUs: number, { lastId, lastTsUs, feeder }: SymbolImport): IdSpan | undefined {
  if (lastId === undefined || row.id <= lastId + 1 || feeder.isLive()) return undefined;
  return {
    fromId: lastId + 1,
    toId: row.id - 1,
    fromTsUs: lastTsUs + 1,
    toTsUs: Math.max(lastTsUs + 1, fromTsUs - 1),
  };
}

async function finish(reading: Reading, file: TradeFile, shared: SymbolImport): Promise<ImportedFile | undefined> {
  const { firstId, lastId, rows, sent, known, nullTrades, missingIds, sums } = reading;
  if (rows === 0) return undefined;
  const isWhole = isWholePeriod(reading, file);
  const times = { fromTsUs: reading.firstTsUs, toTsUs: reading.lastTsUs };
  const wholeTimes = { fromTsUs: file.period?.fromUs ?? 0, toTsUs: (file.period?.toUs ?? 0) - 1 };
  const span: IdSpan = { fromId: firstId, toId: lastId, ...(isWhole ? wholeTimes : times) };
  if (!isWhole) for (const tsUs of Object.values(times)) sums.markPart(tsUs);
  // Once more for the whole file: its ids are wanted, its time was observed to the end that its name says, and its last candle may close.
  const lines = [controlLine(want(file.symbol, span))];
  const toTsUs = isWhole ? span.toTsUs + 1 + shared.graceUs : span.toTsUs;
  await shared.feeder.send({ origin: 'control', lines, trades: 0, quarantined: 0, toTsUs });
  shared.lastId = Math.max(shared.lastId ?? lastId, lastId);
  shared.lastTsUs = Math.max(shared.lastTsUs, span.toTsUs);
  shared.fileEndUs = isWhole ? file.period?.toUs : undefined;
  shared.fileLastId = lastId;
  return { file, span, rows, sent, known, nullTrades, missingIds, sums };
}

// A file whose name says a day or month that is over, and whose rows all lie in it, holds all of it.
function isWholePeriod({ firstTsUs, lastTsUs }: Reading, { period }: TradeFile): boolean {
  return (
    period !== undefined && firstTsUs >= period.fromUs && lastTsUs < period.toUs && period.toUs <= Date.now() * 1000
  );
}

function createKeptDays(file: TradeFile, { database, keep }: ImportTools) {
  const kept = new Set<number>();
  const refuse = (dayUs: number): never => {
    const day = new Date(dayUs / 1000).toISOString().slice(0, 10);
    const why = keep
      ? 'were dropped by retention (RETENTION_DAYS), and its candles are final, so they cannot be imported again'
      : 'would be dropped by retention (RETENTION_DAYS) within the hour; leave --no-keep away, and they are kept';
    throw new UsageError(`${file.path}: the trades of ${day} ${why}. Nothing of that day was written.`);
  };
  return {
    async keep(fromUs: number, toUs: number): Promise<void> {
      for (let dayUs = fromUs - (fromUs % DAY_US); dayUs <= toUs; dayUs += DAY_US) {
        if (kept.has(dayUs)) continue;
        const refusedUs = keep ? await database.keepDays(dayUs, dayUs + DAY_US) : null;
        if (refusedUs !== null) refuse(refusedUs);
        if (!keep && dayUs < (await database.retiredToUs())) refuse(dayUs);
        kept.add(dayUs);
      }
    },
  };
}
