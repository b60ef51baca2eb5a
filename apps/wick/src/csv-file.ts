/**
 * Writes rows into a CSV file that appears only when it is whole.
 * It must hold no more than a piece of it in memory, and leave nothing behind when it fails.
 */
import { createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { UsageError } from './usage-error.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const DISK_FAULTS = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EROFS', 'EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'EISDIR'];

/** A cell; null is empty. */
export type CsvCell = string | number | boolean | null;

/** Writes pieces of rows, gzipped when the name ends with .gz, over a file of that name. Shape: returns the rows written. Errors: UsageError, and those of `pieces`. */
export async function writeCsv(
  path: string,
  header: readonly string[],
  pieces: AsyncIterable<readonly (readonly CsvCell[])[]>,
): Promise<number> {
  const half = `${path}.${process.pid}.part`;
  let rows = 0;
  const lines = async function* () {
    yield `${header.join(',')}\n`;
    for await (const piece of pieces) {
      rows += piece.length;
      if (piece.length > 0) yield `${piece.map(formatRow).join('\n')}\n`;
    }
  };
  const ending = new AbortController();
  const end = () => ending.abort();
  for (const signal of SIGNALS) process.once(signal, end);
  try {
    // Opened first, so that a folder that is missing is told before anything is read.
    await (await open(half, 'w')).close();
    const gzip = /\.gz$/i.test(path) ? [createGzip()] : [];
    const file = createWriteStream(half, { flush: true });
    await pipeline([Readable.from(lines()), ...gzip, file], { signal: ending.signal });
    await rename(half, path);
    return rows;
  } catch (error) {
    await rm(half, { force: true });
    if (ending.signal.aborted) throw new UsageError(`It was ended; ${path} is as it was.`, 1, error);
    if (error instanceof Error && 'code' in error && DISK_FAULTS.includes(String(error.code))) {
      throw new UsageError(`${path} cannot be written (${error.message}); check its folder and its disk.`, 1, error);
    }
    throw error;
  } finally {
    for (const signal of SIGNALS) process.off(signal, end);
  }
}

/** A row as CSV, quoted where it must be. */
export function formatRow(cells: readonly CsvCell[]): string {
  return cells.map((cell) => formatCell(cell === null ? '' : String(cell))).join(',');
}

function formatCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
