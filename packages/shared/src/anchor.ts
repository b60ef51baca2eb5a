/**
 * The anchor: what a stream must still hold at the committed entry so that everything up to it is what was read before.
 * It must know nothing of ticks, and looks at ids and headers only, since an entry that is sent again is sent unchanged.
 *
 * The committed entry alone does not prove it. When Redis loses its tail and comes back with a clock that is behind, that entry may be sent
 * again and get its very id, while entries below it were replaced by others. So the anchor covers the entries before it too.
 */
import { createHash } from 'node:crypto';

/**
 * Most entries that an anchor covers. A producer sends at most one write of 32 entries again, and what was answered is never sent again:
 * two producers cannot fill the place of this many lost entries with the same ones.
 */
export const ANCHOR_ENTRIES_MAX = 64;

/** What of an entry the anchor looks at. */
export type AnchorEntry = { readonly id: string; readonly h: string };

/** The last entries that were read. Order: as in the stream. */
export type AnchorWindow = {
  /** Takes note of an entry; one that is the last already changes nothing. */
  push(entry: AnchorEntry): void;
  /** The anchor at the last entry. */
  text(): string;
  /** The id of the first entry that the anchor covers; nothing from there on may be trimmed. */
  fromId(): string;
};

const NAME_LENGTH_MAX = 300;

/** What tells an entry from another one that got the same id: producer, boot and number. */
export function nameOf(h: string): string {
  const [, , , producer = '?', boot = '?', n = '?'] = h.split(',');
  return `${producer}/${boot}/${n}`.slice(0, NAME_LENGTH_MAX);
}

/** The anchor over some entries, the last one of which is the committed one. Shape: its name, the first one's id, a digest of all. */
export function anchorOf(entries: readonly AnchorEntry[]): string {
  const digest = createHash('sha256');
  for (const { id, h } of entries) digest.update(`${id} ${h}\n`);
  return `${nameOf(entries.at(-1)?.h ?? '')} ${entries[0]?.id ?? '0-0'} ${digest.digest('hex').slice(0, 32)}`;
}

/** The id of the first entry that an anchor covers; undefined for one that names the committed entry alone, as older versions wrote. */
export function anchorBeginning(anchor: string | null): string | undefined {
  return / (\d+-\d+) [0-9a-f]{32}$/.exec(anchor ?? '')?.[1];
}

/** Whether the entries from the anchor's beginning to the committed one are those that it was made of. */
export function isAnchored(anchor: string | null, entries: readonly AnchorEntry[]): boolean {
  const last = entries.at(-1);
  if (last === undefined) return false;
  return anchorBeginning(anchor) === undefined ? nameOf(last.h) === anchor : anchorOf(entries) === anchor;
}

/** Creates the window that begins with the entries which a reader found at its start. */
export function createAnchorWindow(start: readonly AnchorEntry[]): AnchorWindow {
  const entries = start.map(({ id, h }) => ({ id, h }));
  return {
    push: ({ id, h }) => {
      if (entries.at(-1)?.id === id) return;
      entries.push({ id, h });
      if (entries.length > ANCHOR_ENTRIES_MAX) entries.shift();
    },
    text: () => anchorOf(entries),
    fromId: () => entries[0]?.id ?? '0-0',
  };
}
