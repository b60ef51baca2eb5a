/**
 * Writes a file that appears under its name only when it is whole.
 * It must leave nothing behind when it fails or is ended, and the old file as it was.
 */
import { open, rename, rm } from 'node:fs/promises';
import { UsageError } from './usage-error.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const DISK_FAULTS = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EROFS', 'EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'EISDIR'];

/** Has `write` fill the file at the path it is given, and puts it in place. Shape: returns what `write` returns; `signal` says that a person ended it. Errors: UsageError, and those of `write`. */
export async function writeWholeFile<T>(
  path: string,
  write: (half: string, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const half = `${path}.${process.pid}.part`;
  const ending = new AbortController();
  const end = () => ending.abort();
  for (const signal of SIGNALS) process.once(signal, end);
  try {
    // Opened first, so that a folder that is missing is told before anything is read.
    await (await open(half, 'w')).close();
    const result = await write(half, ending.signal);
    await rename(half, path);
    return result;
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
