/**
 * The anchor: what a stream must still hold at the committed entry so that everything up to it is what was read before.
 * It must know nothing of ticks, and looks at ids and headers only, since an entry that is sent again is sent unchanged.
 *
 * The committed entry alone does not prove it. When Redis loses its tail and comes back with a clock that is behind, that entry may be sent
 * again and get its very id, while entries below it were replaced by others. So the anchor covers the entries before it too.
 *
 * It also carries marks: places that were committed earlier, and when. When the tail is lost, what lies up to the newest mark that is there
 * unchanged need not be read again; and whoever takes the shard next knows what was committed long ago, and trims there.
 */
import { hash } from 'node:crypto';
import { STREAM_BEGINNING, streamIdMs } from './stream-id.ts';

/**
 * Most entries that an anchor covers. A producer sends at most one write of 32 entries again, and what was answered is never sent again:
 * two producers cannot fill the place of this many lost entries with the same ones.
 */
export const ANCHOR_ENTRIES_MAX = 64;

/** Shortest time between two marks, by the ids. Units: ms. */
export const MARK_EVERY_MS = 1_000;

/** An older mark is dropped; the stream is trimmed there. Units: ms. */
export const MARK_AGE_MAX_MS = 600_000;

/** How many times further back than what was lost the next mark lies at most, while commits are frequent. */
const MARK_RATIO = 4;

/** What of an entry the anchor looks at. */
export type AnchorEntry = { readonly id: string; readonly h: string };

/**
 * A place that was committed earlier. Shape: the id of its entry, of the first entry that is covered, and a digest of all that are. Units: `atS`
 * seconds of the wall clock at which it was about to be committed, rounded up.
 */
export type AnchorMark = {
  readonly id: string;
  readonly fromId: string;
  readonly digest: string;
  readonly atS: number;
};

/** The last entries that were read. Order: as in the stream. */
export type AnchorWindow = {
  /** Takes note of an entry; one that is the last already changes nothing. */
  push(entry: AnchorEntry): void;
  /** The anchor at the last entry, which becomes a mark of later ones when the newest mark is far enough away. Units: `nowMs` of the wall clock. */
  seal(nowMs: number): string;
  /** The id of the first entry that the anchor covers; nothing from there on may be trimmed. */
  fromId(): string;
};

const NAME_LENGTH_MAX = 300;
const MARK_DIGEST_LENGTH = 16;
const SHAPE = /^(?<own>.* (?<fromId>\d+-\d+) [0-9a-f]{32})(?<marks>(?: \d+-\d+\/\d+-\d+\/[0-9a-f]{16}\/\d+)*)$/s;

/** What tells an entry from another one that got the same id: producer, boot and number. */
export function nameOf(h: string): string {
  const [, , , producer = '?', boot = '?', n = '?'] = h.split(',');
  return `${producer}/${boot}/${n}`.slice(0, NAME_LENGTH_MAX);
}

/** The anchor over some entries, the last one of which is the committed one. Shape: its name, the first one's id, a digest of all; no marks. */
export function anchorOf(entries: readonly AnchorEntry[]): string {
  return textOf(entries, digestOf(entries));
}

/** The id of the first entry that an anchor covers; undefined for one that names the committed entry alone, as older versions wrote. */
export function anchorBeginning(anchor: string | null): string | undefined {
  return SHAPE.exec(anchor ?? '')?.groups?.fromId;
}

/** Whether the entries from the anchor's beginning to the committed one are those that it was made of. */
export function isAnchored(anchor: string | null, entries: readonly AnchorEntry[]): boolean {
  const last = entries.at(-1);
  if (last === undefined) return false;
  const own = SHAPE.exec(anchor ?? '')?.groups?.own;
  return own === undefined ? nameOf(last.h) === anchor : anchorOf(entries) === own;
}

/** The marks of an anchor. Order: the newest first. */
export function anchorMarks(anchor: string | null): AnchorMark[] {
  const texts =
    SHAPE.exec(anchor ?? '')
      ?.groups?.marks?.split(' ')
      .slice(1) ?? [];
  return texts.map((text) => {
    const [id = '', fromId = '', digest = '', atS] = text.split('/');
    return { id, fromId, digest, atS: Number(atS) };
  });
}

/** Whether the entries from the mark's first to its own are those that it was made of. */
export function isMarked(mark: AnchorMark, entries: readonly AnchorEntry[]): boolean {
  return entries.at(-1)?.id === mark.id && markDigestOf(digestOf(entries)) === mark.digest;
}

/** Creates the window that begins with the entries which a reader found at its start, and the marks below them. Units: `markEveryMs` by the ids. */
export function createAnchorWindow(
  start: readonly AnchorEntry[],
  startMarks: readonly AnchorMark[] = [],
  markEveryMs: number = MARK_EVERY_MS,
): AnchorWindow {
  const entries = start.map(({ id, h }) => ({ id, h }));
  let marks = startMarks;
  // Written at every commit, and changed once in many.
  let marksText = textOfMarks(marks);

  return {
    push: ({ id, h }) => {
      if (entries.at(-1)?.id === id) return;
      entries.push({ id, h });
      if (entries.length > ANCHOR_ENTRIES_MAX) entries.shift();
    },
    seal: (nowMs) => {
      const id = entries.at(-1)?.id ?? STREAM_BEGINNING;
      const digest = digestOf(entries);
      const text = textOf(entries, digest) + marksText;
      if (ageMs(marks[0]?.id, id) >= markEveryMs) {
        const mark = { id, fromId: firstIdOf(entries), digest: markDigestOf(digest), atS: Math.ceil(nowMs / 1000) };
        marks = thinned([mark, ...marks], markEveryMs);
        marksText = textOfMarks(marks);
      }
      return text;
    },
    fromId: () => firstIdOf(entries),
  };
}

// Leaves fewer marks the older they are: one goes when its neighbours are near enough to each other. Order: the newest first.
function thinned(marks: readonly AnchorMark[], markEveryMs: number): AnchorMark[] {
  const newest = marks[0]?.id ?? STREAM_BEGINNING;
  const kept: AnchorMark[] = [];
  for (const [i, mark] of marks.entries()) {
    if (ageMs(mark.id, newest) > MARK_AGE_MAX_MS) break;
    const [newer, older] = [kept.at(-1), marks[i + 1]];
    const reachMs = MARK_RATIO * Math.max(markEveryMs, ageMs(newer?.id, newest));
    const isNeeded = newer === undefined || older === undefined || ageMs(older.id, newest) > reachMs;
    if (isNeeded) kept.push(mark);
  }
  return kept;
}

// By the time in the ids, which Redis gives by its clock. Nothing is infinitely old.
function ageMs(id: string | undefined, newest: string): number {
  return id === undefined ? Number.POSITIVE_INFINITY : streamIdMs(newest) - streamIdMs(id);
}

function firstIdOf(entries: readonly AnchorEntry[]): string {
  return entries[0]?.id ?? STREAM_BEGINNING;
}

function textOf(entries: readonly AnchorEntry[], digest: string): string {
  return `${nameOf(entries.at(-1)?.h ?? '')} ${firstIdOf(entries)} ${digest}`;
}

function textOfMarks(marks: readonly AnchorMark[]): string {
  return marks.map(({ id, fromId, digest, atS }) => ` ${id}/${fromId}/${digest}/${atS}`).join('');
}

function digestOf(entries: readonly AnchorEntry[]): string {
  let text = '';
  for (const { id, h } of entries) text += `${id} ${h}\n`;
  return hash('sha256', text, 'hex').slice(0, 32);
}

function markDigestOf(digest: string): string {
  return digest.slice(0, MARK_DIGEST_LENGTH);
}
