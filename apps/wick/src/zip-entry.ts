/**
 * Takes the one file out of a small zip archive that is in memory.
 * It must not be used for archives of several files or beyond its limit; recordings have a reader of their own.
 */
import { inflateRawSync } from 'node:zlib';

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const STORED = 0;
const DEFLATED = 8;

/** Returns the bytes of the archive's one file. Limits: `bytesMax` after inflating. Errors: rejects what is no such archive. */
export function readZipEntry(archive: Buffer, bytesMax: number): Buffer {
  const end = findEnd(archive);
  if (archive.readUInt16LE(end + 10) !== 1) throw new Error('the archive must hold exactly one file');
  const central = archive.readUInt32LE(end + 16);
  if (archive.readUInt32LE(central) !== CENTRAL) throw new Error('the archive is damaged');
  const method = archive.readUInt16LE(central + 10);
  const packedBytes = archive.readUInt32LE(central + 20);
  const local = archive.readUInt32LE(central + 42);
  if (archive.readUInt32LE(local) !== LOCAL) throw new Error('the archive is damaged');
  const begin = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  const packed = archive.subarray(begin, begin + packedBytes);
  if (method === STORED) return packed;
  if (method === DEFLATED) return inflateRawSync(packed, { maxOutputLength: bytesMax });
  throw new Error(`the archive is packed by method ${method}, which is not read here`);
}

function findEnd(archive: Buffer): number {
  for (let at = archive.length - END_BYTES; at >= 0; at--) if (archive.readUInt32LE(at) === END) return at;
  throw new Error('it is no zip archive');
}
