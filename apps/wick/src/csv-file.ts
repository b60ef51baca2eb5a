/**
 * Writes rows into a CSV file that appears only when it is whole.
 * It must hold no more than a piece of it in memory, and leave nothing behind when it fails.
 */
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { writeWholeFile } from './whole-file.ts';

/** A cell; null is empty. */
export type CsvCell = string | number | boolean | null;

/** Writes pieces of rows, gzipped when the name ends with .gz, over a file of that name. Shape: returns the rows written. Errors: UsageError, and those of `pieces`. */
export function writeCsv(
  path: string,
  header: readonly string[],
  pieces: AsyncIterable<readonly (readonly CsvCell[])[]>,
): Promise<number> {
  let rows = 0;
  const lines = async function* () {
    yield `${header.join(',')}\n`;
    for await (const piece of pieces) {
      rows += piece.length;
      if (piece.length > 0) yield `${piece.map(formatRow).join('\n')}\n`;
    }
  };
  return writeWholeFile(path, async (half, signal) => {
    const gzip = /\.gz$/i.test(path) ? [createGzip()] : [];
    const file = createWriteStream(half, { flush: true });
    await pipeline([Readable.from(lines()), ...gzip, file], { signal });
    return rows;
  });
}

/** A row as CSV, quoted where it must be. */
export function formatRow(cells: readonly CsvCell[]): string {
  return cells.map((cell) => formatCell(cell === null ? '' : String(cell))).join(',');
}

function formatCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
