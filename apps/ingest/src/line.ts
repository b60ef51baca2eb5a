/**
 * One line of a stream entry while it waits to be sent.
 * It must hold the shape and the cost only.
 */
import type { ChannelCounts } from '@wickstream/shared/entry-codec';

/** What a line holds; a `beat` has no text, it ends an entry at its clock. */
export type LineKind = keyof ChannelCounts | 'control' | 'beat';

/**
 * One line that waits. Units: `clockUs` is the feed's time when it was queued, `heardUs` until when every connection had been heard then.
 * `fold` names what a control line supersedes: `<control> <symbol> <channel>`.
 */
export type Line = {
  readonly text: string;
  readonly kind: LineKind;
  readonly symbol: string;
  readonly ticks: number;
  readonly clockUs: number;
  readonly heardUs: number;
  readonly fold?: string;
};

/** What a waiting line costs besides its text. Units: bytes. */
export const LINE_OVERHEAD_BYTES = 120;

/** What a line costs while it waits. Units: bytes. */
export function costOf(line: Line): number {
  return line.text.length + LINE_OVERHEAD_BYTES;
}
