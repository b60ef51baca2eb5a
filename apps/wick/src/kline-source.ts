/**
 * Fetches the exchange's own klines: from a file here, from a file at a URL, or from a REST that speaks the protocol.
 * It must not compare anything.
 */
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { type Kline, readKline, standardColumns } from './kline.ts';
import { parseKlineCsv, stepOf } from './kline-csv.ts';
import { UsageError } from './usage-error.ts';
import { readZipEntry } from './zip-entry.ts';

/**
 * Where klines come from. Shape: `range` are the first and last open time of a file; `read` gives those with `fromMs` ≤ open < `toMs`,
 * in order. Units: ms. Errors: UsageError with exit code 2.
 */
export type KlineSource = {
  readonly name: string;
  readonly range:
    | { readonly firstMs: number; readonly lastMs: number; readonly stepMs: number | undefined }
    | undefined;
  read(fromMs: number, toMs: number): Promise<Kline[]>;
};

/** Most klines in one question to a REST. */
export const KLINES_MAX = 1000;

const FILE_BYTES_MAX = 256 * 1024 * 1024;
const ANSWER_TIMEOUT_MS = 15_000;
const DOWNLOAD_TIMEOUT_MS = 120_000;

/** The klines of a CSV file: a path, or a URL; plain, .gz or .zip. Limits: 256 MiB. */
export async function openKlineFile(place: string): Promise<KlineSource> {
  const klines = parse(place, await load(place));
  const [first, last] = [klines[0], klines.at(-1)];
  if (first === undefined || last === undefined)
    throw new UsageError(`${place} holds no klines; name another file.`, 2);
  return {
    name: place,
    range: { firstMs: first.openTime, lastMs: last.openTime, stepMs: stepOf(klines) },
    read: async (fromMs, toMs) => klines.filter(({ openTime }) => openTime >= fromMs && openTime < toMs),
  };
}

/** The klines of a REST. Limits: KLINES_MAX in a question, one question at a time. */
export function openKlineRest(url: string, symbol: string, interval: string): KlineSource {
  const base = url.replace(/\/+$/, '');
  const ask = async (fromMs: number, toMs: number): Promise<Kline[]> => {
    const query = new URLSearchParams({ symbol, interval, startTime: String(fromMs), endTime: String(toMs - 1) });
    const path = `/api/v3/klines?${query}&limit=${KLINES_MAX}`;
    const answer = await fetch(base + path, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) }).catch(
      (error: unknown) => {
        throw new UsageError(
          `The exchange does not answer at ${base}; name its klines with --klines FILE|URL.`,
          2,
          error,
        );
      },
    );
    if (!answer.ok) throw new UsageError(await refusal(base, answer), 2);
    const rows: unknown = await answer.json();
    if (!Array.isArray(rows)) throw new UsageError(`What answers at ${base} gives no klines.`, 2);
    return rows.map((row: unknown[], i) => readKline(row, standardColumns, i + 1));
  };
  const read = async (fromMs: number, toMs: number): Promise<Kline[]> => {
    const found: Kline[] = [];
    for (let from = fromMs; from < toMs; ) {
      const page = await ask(from, toMs);
      found.push(...page);
      const last = page.at(-1);
      if (last === undefined || page.length < KLINES_MAX) break;
      from = last.openTime + 1;
    }
    return found;
  };
  return { name: base, range: undefined, read };
}

/** Whether a place names a file of klines: any path, or a URL that ends like one. */
export function isKlineFile(place: string): boolean {
  return !/^https?:\/\//i.test(place) || /\.(csv|gz|zip)$/i.test(new URL(place).pathname);
}

async function refusal(base: string, answer: Response): Promise<string> {
  const wait = answer.headers.get('retry-after');
  if (answer.status === 429 || answer.status === 418) {
    return `The exchange at ${base} asks for a pause${wait ? ` of ${wait} s` : ''} (HTTP ${answer.status}); try a shorter range after it.`;
  }
  return `The exchange at ${base} refused with HTTP ${answer.status}: ${(await answer.text()).slice(0, 200)}`;
}

async function load(place: string): Promise<Buffer> {
  try {
    if (!/^https?:\/\//i.test(place)) return await readFile(place);
    const answer = await fetch(place, { signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS) });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return Buffer.from(await answer.arrayBuffer());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`The klines ${place} cannot be read (${reason}); check the name.`, 2, error);
  }
}

function parse(place: string, bytes: Buffer): Kline[] {
  try {
    return parseKlineCsv(
      unpack(place, bytes)
        .toString('utf8')
        .replace(/^\uFEFF/, ''),
    );
  } catch (error) {
    throw new UsageError(`${place} is no klines file: ${error instanceof Error ? error.message : error}.`, 2, error);
  }
}

function unpack(place: string, bytes: Buffer): Buffer {
  if (bytes.length > FILE_BYTES_MAX) throw new Error('it is larger than 256 MiB; compare it in parts');
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const isZip = bytes.subarray(0, 4).toString('latin1') === 'PK\u0003\u0004';
  if (/\.gz$/i.test(place) && !isGzip) throw new Error('its name ends with .gz and it is not gzipped');
  if (isGzip) return gunzipSync(bytes, { maxOutputLength: FILE_BYTES_MAX });
  return isZip ? readZipEntry(bytes, FILE_BYTES_MAX) : bytes;
}
