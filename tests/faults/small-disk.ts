/**
 * A disk of a few hundred megabytes, in memory, that a test may fill to the last byte.
 * It must not be there where mounting is not allowed, and it never fills any other disk.
 */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '@wickstream/servers/command';
import { makeServerFolder, openTemporaryFolder, type ServerFolder } from '@wickstream/servers/server-folder';

/** A mounted small disk. */
export type SmallDisk = {
  readonly folder: ServerFolder;
  /** Takes every byte that is left. Returns how many there were. */
  fill(): number;
  /** Gives them back. */
  empty(): void;
  close(): Promise<void>;
};

const PIECE = Buffer.alloc(1024 * 1024);

/** Mounts a disk. Shape: undefined where this user may not mount. Units: megabytes. */
export async function mountSmallDisk(sizeMb: number): Promise<SmallDisk | undefined> {
  const { path: outer, account } = await openTemporaryFolder();
  const path = join(outer, 'disk');
  makeServerFolder(path, account);
  const options = `size=${sizeMb}m,mode=0755`;
  const mounted = await runCommand('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { timeoutMs: 10_000 });
  if (mounted.code !== 0) return undefined;
  const data = join(path, 'data');
  makeServerFolder(data, account);
  const filler = join(path, 'filler');
  return {
    folder: { path: data, account, moved: false },
    fill: () => fillFile(filler),
    empty: () => rmSync(filler, { force: true }),
    close: async () => {
      await runCommand('umount', ['-l', path], { timeoutMs: 10_000 });
    },
  };
}

function fillFile(path: string): number {
  const file = openSync(path, 'w');
  let written = 0;
  try {
    for (let size = PIECE.length; size >= 1; size = Math.floor(size / 2)) written += writePieces(file, size);
  } finally {
    closeSync(file);
  }
  return written;
}

// A disk that is nearly full takes part of a piece; the next smaller size takes the rest.
function writePieces(file: number, size: number): number {
  for (let written = 0; ; ) {
    try {
      written += writeSync(file, PIECE, 0, size);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      return written;
    }
  }
}
