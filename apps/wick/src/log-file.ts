/**
 * Keeps an app's log in a file of limited size.
 * It must not block or fail the app when the disk is full.
 */
import { createWriteStream, existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** A log file. Limits: at 20 MB it becomes `<name>.1`, replacing the one before. */
export type LogFile = { write(line: string): void; close(): void };

const BYTES_MAX = 20_000_000;

/** Opens a log file for appending. */
export function openLogFile(path: string, bytesMax: number = BYTES_MAX): LogFile {
  mkdirSync(dirname(path), { recursive: true });
  let bytes = existsSync(path) ? statSync(path).size : 0;
  let stream = open(path);
  const write = (line: string) => {
    if (bytes > bytesMax) {
      stream.end();
      renameSync(path, `${path}.1`);
      stream = open(path);
      bytes = 0;
    }
    bytes += Buffer.byteLength(line) + 1;
    stream.write(`${line}\n`);
  };
  return { write, close: () => stream.end() };
}

function open(path: string) {
  const stream = createWriteStream(path, { flags: 'a', mode: 0o600 });
  stream.on('error', () => undefined);
  return stream;
}
