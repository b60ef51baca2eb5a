/**
 * Reading recordings: plain, .gz and .zip files as lines, several files merged by receive time.
 * It must hold a chunk of each file at most, never a whole one, and name the file in every error.
 */
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { pipeline } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';
import yauzl from 'yauzl';
import { type Line, parseCsvLine, parseFrameLine, type RecordedFrame } from './recorded-frame.ts';

/** A recording that cannot be read; the message names the file and the mend. */
export class RecordingError extends Error {
  override readonly name = 'RecordingError';
}

/** What was found besides frames; `rows` are the frames that came from CSV. */
export type LineCounts = { frames: number; other: number; unparsable: number; rows: number };

/** What a set of files holds. Shape: streams by name; symbols upper-case; channels as behind the `@`. */
export type RecordingSummary = LineCounts & {
  readonly streams: ReadonlySet<string>;
  readonly symbols: readonly string[];
  readonly channels: readonly string[];
  readonly firstNs: string;
  readonly lastNs: string;
  /** The end of the last whole day or month that a CSV file is named for; empty when none is. */
  readonly endNs: string;
};

/** Longest line; a longer one is an error. Units: characters. */
export const LINE_CHARS_MAX = 16 * 1024 * 1024;

const CHUNK_BYTES = 256 * 1024;
const MERGED_BATCH_MAX = 512;
const SYMBOL = /^[A-Z0-9]{3,20}$/;

/** The symbol of a CSV file: its name up to the first `-` if that is a symbol, else the one given. Errors: RecordingError. */
export function symbolOfFile(path: string, given: string | undefined): string {
  const name = basename(path).split('-')[0] as string;
  if (SYMBOL.test(name) && basename(path).includes('-')) return name;
  if (given !== undefined) return given.toUpperCase();
  throw new RecordingError(
    `cannot tell the symbol of ${path}: say it, for example --symbol XRPETH, or name the file XRPETH-….csv`,
  );
}

const PERIOD = /(?<!\d)(\d{4})-(\d{2})(?:-(\d{2}))?(?!\d)/;

/**
 * The end of the day or month that a CSV file's name says it holds whole, as data.binance.vision names them; undefined without one.
 * Units: 19 digits of ns. Limits: `lastNs`, the time of its last row, must lie inside, else the name means something else.
 */
export function periodEndOfFile(path: string, lastNs: string): string | undefined {
  const match = PERIOD.exec(basename(path));
  if (match === null) return undefined;
  const [year, month, day] = [
    Number(match[1]),
    Number(match[2]) - 1,
    match[3] === undefined ? undefined : Number(match[3]),
  ];
  const fromMs = Date.UTC(year, month, day ?? 1);
  const toMs = day === undefined ? Date.UTC(year, month + 1, 1) : Date.UTC(year, month, day + 1);
  const lastMs = Number(lastNs.slice(0, -6));
  return lastMs >= fromMs && lastMs < toMs ? `${toMs}000000` : undefined;
}

/** Reads the frames of one file, a batch a chunk. Errors: RecordingError for files that are missing, cut short or of another kind. */
export async function* readFrames(
  path: string,
  symbol: string | undefined,
  counts: LineCounts,
): AsyncGenerator<RecordedFrame[]> {
  let parse: ((line: string) => Line) | undefined;
  for await (const lines of readLines(path)) {
    const batch: RecordedFrame[] = [];
    for (const line of lines) {
      if (line.trim() === '') continue;
      parse ??= parserFor(line, path, symbol, counts);
      const parsed = parse === undefined ? 'other' : parse(line);
      if (parsed === 'bad') counts.unparsable++;
      else if (parsed === 'other') counts.other++;
      else batch.push(parsed);
    }
    counts.frames += batch.length;
    if (batch.length > 0) yield batch;
  }
  if (parse === undefined) {
    throw new RecordingError(`${path} holds neither recorded frames nor trades in CSV; see the formats of --replay`);
  }
}

function parserFor(
  line: string,
  path: string,
  symbol: string | undefined,
  counts: LineCounts,
): ((line: string) => Line) | undefined {
  if (/^\d{9,20}[.\d]*:? +[{[]/.test(line)) return parseFrameLine;
  const isCsv = /^\d+,\d/.test(line) || /^"?(id|agg_?trade_?id|trade_?id)"?,/i.test(line);
  if (!isCsv) return undefined;
  const name = symbolOfFile(path, symbol);
  return (row) => {
    counts.rows++;
    return parseCsvLine(row, name);
  };
}

/** Reads several files as one, by receive time; within a file the order stays. */
export async function* mergeFrames(
  paths: readonly string[],
  symbol: string | undefined,
  counts: LineCounts,
): AsyncGenerator<RecordedFrame[]> {
  const sources = paths.map((path) => ({
    reader: readFrames(path, symbol, counts),
    batch: [] as RecordedFrame[],
    at: 0,
  }));
  try {
    let out: RecordedFrame[] = [];
    const open = new Set(sources);
    while (open.size > 0) {
      for (const source of open) {
        if (source.at < source.batch.length) continue;
        const next = await source.reader.next();
        source.batch = next.done === true ? [] : next.value;
        source.at = 0;
        if (next.done === true) open.delete(source);
      }
      takeInOrder([...open], out);
      if (out.length >= MERGED_BATCH_MAX || open.size <= 1) {
        if (out.length > 0) yield out;
        out = [];
      }
    }
    if (out.length > 0) yield out;
  } finally {
    for (const { reader } of sources) await reader.return(undefined);
  }
}

// Goes on until one source runs dry, as only its next chunk can tell what comes first.
function takeInOrder(open: { batch: RecordedFrame[]; at: number }[], out: RecordedFrame[]): void {
  if (open.length === 1) {
    const only = open[0] as (typeof open)[number];
    for (; only.at < only.batch.length; only.at++) out.push(only.batch[only.at] as RecordedFrame);
    return;
  }
  while (open.length > 0 && open.every((source) => source.at < source.batch.length)) {
    let first = open[0] as (typeof open)[number];
    for (const source of open) {
      if ((source.batch[source.at] as RecordedFrame).timeNs < (first.batch[first.at] as RecordedFrame).timeNs)
        first = source;
    }
    out.push(first.batch[first.at++] as RecordedFrame);
  }
}

/** Reads all files once, to know what they hold and that they are whole. Errors: RecordingError. */
export async function summariseFiles(paths: readonly string[], symbol: string | undefined): Promise<RecordingSummary> {
  const counts: LineCounts = { frames: 0, other: 0, unparsable: 0, rows: 0 };
  const streams = new Set<string>();
  let firstNs = '9'.repeat(19);
  let lastNs = '';
  let endNs = '';
  for (const path of paths) {
    const rowsBefore = counts.rows;
    let lastOfFileNs = '';
    for await (const batch of readFrames(path, symbol, counts)) {
      for (const { stream, timeNs } of batch) {
        streams.add(stream);
        if (timeNs < firstNs) firstNs = timeNs;
        if (timeNs > lastOfFileNs) lastOfFileNs = timeNs;
      }
    }
    if (lastOfFileNs > lastNs) lastNs = lastOfFileNs;
    const periodEndNs = counts.rows > rowsBefore ? periodEndOfFile(path, lastOfFileNs) : undefined;
    if (periodEndNs !== undefined && periodEndNs > endNs) endNs = periodEndNs;
  }
  const names = [...streams].filter((name) => name.includes('@'));
  return {
    ...counts,
    streams,
    symbols: [...new Set(names.map((name) => name.slice(0, name.indexOf('@')).toUpperCase()))].sort(),
    channels: [...new Set(names.map((name) => name.slice(name.indexOf('@') + 1)))].sort(),
    firstNs,
    lastNs,
    endNs,
  };
}

async function* readLines(path: string): AsyncGenerator<string[]> {
  let rest = '';
  const decoder = new StringDecoder('utf8');
  try {
    for await (const bytes of openBytes(path)) {
      const text = rest + decoder.write(bytes as Buffer);
      const lines = text.split('\n');
      rest = lines.pop() as string;
      if (rest.length > LINE_CHARS_MAX)
        throw new RecordingError(`${path} has a line above ${LINE_CHARS_MAX} characters; it is no recording`);
      if (lines.length > 0) yield lines;
    }
  } catch (error) {
    throw asRecordingError(path, error);
  }
  rest += decoder.end();
  if (rest !== '') yield [rest];
}

async function* openBytes(path: string): AsyncGenerator<unknown> {
  if (/\.zip$/i.test(path)) return yield* openZip(path);
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  if (!/\.gz$/i.test(path)) return yield* file;
  yield* pipeline(file, createGunzip({ chunkSize: CHUNK_BYTES }), () => undefined);
}

async function* openZip(path: string): AsyncGenerator<unknown> {
  const zip = await yauzl.openPromise(path);
  for await (const entry of zip.eachEntry()) {
    if (entry.fileName.endsWith('/')) continue;
    yield* await zip.openReadStreamPromise(entry);
    yield Buffer.from('\n');
  }
}

function asRecordingError(path: string, error: unknown): RecordingError {
  if (error instanceof RecordingError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new RecordingError(`there is no file ${path}; check the path given to --replay`);
  if (code === 'EACCES') return new RecordingError(`${path} may not be read by this user; change its permissions`);
  return new RecordingError(`${path} is damaged or cut short (${message}); fetch or copy it again`);
}
