/**
 * Opens a file of trades as lines: plain, .gz or .zip, and knows how far it was read.
 * It must hold a chunk of the file at most, never a whole one, and name the file in every error.
 */
import { createReadStream, type ReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import yauzl from 'yauzl';
import { UsageError } from '../usage-error.ts';

/** Longest line; a longer one is no trade. Units: characters. */
export const LINE_CHARS_MAX = 4_096;

/** A file that is being read. Units: bytes as they lie on the disk. Order: `lines` gives the lines of each chunk, without their ends. */
export type LineSource = {
  readonly path: string;
  readonly bytes: number;
  bytesRead(): number;
  lines(): AsyncGenerator<string[]>;
};

const CHUNK_BYTES = 512 * 1024;
const UTF8_MARK = '\u00ef\u00bb\u00bf';

/** Opens a file. Limits: of a zip every file is read, one after the other. Errors: UsageError, from here and from `lines`. */
export async function openLines(path: string): Promise<LineSource> {
  const bytes = (await stat(path).catch((error: unknown) => Promise.reject(explain(path, error)))).size;
  const progress = { bytes: 0 };
  return {
    path,
    bytes,
    bytesRead: () => Math.min(bytes, progress.bytes),
    lines: async function* () {
      try {
        yield* splitLines(path, openChunks(path, progress));
        progress.bytes = bytes;
      } catch (error) {
        throw explain(path, error);
      }
    },
  };
}

async function* splitLines(path: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  let rest = '';
  let isFirst = true;
  for await (const chunk of chunks) {
    let text = rest + chunk.toString('latin1');
    if (isFirst && text.startsWith(UTF8_MARK)) text = text.slice(UTF8_MARK.length);
    isFirst = false;
    const lines = text.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_CHARS_MAX) {
      throw new UsageError(`${path} has a line of more than ${LINE_CHARS_MAX} characters; it holds no trades in CSV.`);
    }
    if (lines.length > 0) yield lines;
  }
  if (rest !== '') yield [rest];
}

async function* openChunks(path: string, progress: { bytes: number }): AsyncGenerator<Buffer> {
  if (/\.zip$/i.test(path)) return yield* openZip(path, progress);
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  const isGzip = /\.gz$/i.test(path);
  const chunks: AsyncIterable<Buffer> = isGzip
    ? pipeline(file, createGunzip({ chunkSize: CHUNK_BYTES }), () => undefined)
    : file;
  yield* counted(chunks, file, progress);
}

async function* counted(chunks: AsyncIterable<Buffer>, file: ReadStream, progress: { bytes: number }) {
  for await (const chunk of chunks) {
    progress.bytes = file.bytesRead;
    yield chunk;
  }
}

async function* openZip(path: string, progress: { bytes: number }): AsyncGenerator<Buffer> {
  const zip = await yauzl.openPromise(path);
  for await (const entry of zip.eachEntry()) {
    if (entry.fileName.endsWith('/')) continue;
    const share = entry.compressedSize / Math.max(1, entry.uncompressedSize);
    for await (const chunk of await zip.openReadStreamPromise(entry)) {
      progress.bytes += (chunk as Buffer).length * share;
      yield chunk as Buffer;
    }
    yield Buffer.from('\n');
  }
}

function explain(path: string, error: unknown): UsageError {
  if (error instanceof UsageError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new UsageError(`There is no file ${path}; check the name.`, 2, error);
  if (code === 'EACCES') return new UsageError(`${path} may not be read by this user; change its rights.`, 1, error);
  return new UsageError(
    `${path} is damaged or cut short (${message}); fetch or copy it again, then run the same command.`,
    1,
    error,
  );
}
