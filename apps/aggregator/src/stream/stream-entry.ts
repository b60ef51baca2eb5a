/**
 * An entry as it was read from a stream: its id, its two fields, and what could be decoded of them.
 * It must lose nothing in silence: what cannot be read becomes a refused input.
 */
import { decodeEntry, decodeHeader, ENTRY_VERSION, type Entry, type EntryItem } from '@wickstream/shared/entry-codec';
import type { Quarantined } from '@wickstream/shared/tick';

/** One entry of a stream. `h` and `d` are its header and its lines. */
export type StreamEntry = { readonly id: string; readonly h: string; readonly d: string };

/** An entry that a newer version of the product wrote; this process must leave the shard to one that can read it. */
export class NewerEntryError extends Error {
  override readonly name = 'NewerEntryError';
}

/** Reads an entry; undefined when not even its header can be read. Lines that cannot be read become refused inputs. Errors: NewerEntryError. */
export function readEntry({ h, d }: StreamEntry): Entry | undefined {
  if (isNewer({ h })) {
    throw new NewerEntryError(`entries of version ${versionOf(h)} are in the stream; upgrade this aggregator`);
  }
  try {
    return decodeEntry(h, d);
  } catch {
    return readLines(h, d);
  }
}

/** Whether a newer version of the product wrote an entry. */
export function isNewer({ h }: Pick<StreamEntry, 'h'>): boolean {
  const version = versionOf(h);
  return Number.isInteger(version) && version > ENTRY_VERSION;
}

function versionOf(h: string): number {
  return Number(h.slice(0, h.indexOf(',')));
}

function readLines(h: string, d: string): Entry | undefined {
  try {
    const header = decodeHeader(h);
    return { header, items: d.split('\n').map((line) => readLine(h, line, header.clockUs)) };
  } catch {
    return undefined;
  }
}

function readLine(h: string, line: string, clockUs: number): EntryItem {
  try {
    return decodeEntry(h, line).items[0] ?? malformed(line, clockUs);
  } catch {
    return malformed(line, clockUs);
  }
}

function malformed(line: string, receivedAtUs: number): Quarantined {
  const sample = line.slice(0, 512);
  const names = { symbol: '', channel: 'unknown', reason: 'malformed_frame' } as const;
  return { kind: 'quarantined', ...names, id: null, lastId: null, count: 1, receivedAtUs, sample };
}
