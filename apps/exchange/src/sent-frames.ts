/**
 * The frames handed to sockets lately, kept so that a client that was killed can be sent them again.
 * It must hold what a dead client's buffers can hold, and no more than its limit.
 */
import type { RecordedFrame } from './recorded-frame.ts';

/**
 * What was sent within OVERLAP_S before the last frame, at most OVERLAP_BYTES_MAX of payloads.
 * Order: as sent; after `takeBack`, `next` gives the same frames again, oldest first.
 */
export type SentFrames = {
  add(frame: RecordedFrame, nowMs: number): void;
  /** Everything kept is to be sent again. */
  takeBack(): void;
  next(): RecordedFrame | undefined;
  waiting(): number;
};

/**
 * How much is sent again. A socket's kernel buffers hold about 10 MB at either end by default, our own 1 MB;
 * what the client had read but not stored yet is the rest.
 */
export const OVERLAP_S = 30;
/** Most payload that is kept to be sent again. Units: characters. */
export const OVERLAP_BYTES_MAX = 32 * 1024 * 1024;

type Sent = { readonly frame: RecordedFrame; readonly sentMs: number };

/** Nothing sent yet. */
export function createSentFrames(): SentFrames {
  let kept: Sent[] = [];
  let begin = 0;
  let bytes = 0;
  let again: RecordedFrame[] = [];
  let at = 0;

  function dropOld(nowMs: number): void {
    while (begin < kept.length) {
      const oldest = kept[begin] as Sent;
      if (bytes <= OVERLAP_BYTES_MAX && nowMs - oldest.sentMs <= OVERLAP_S * 1000) break;
      bytes -= oldest.frame.payload.length;
      begin++;
    }
    if (begin > 10_000 && begin > kept.length / 2) {
      kept = kept.slice(begin);
      begin = 0;
    }
  }

  return {
    add(frame, nowMs) {
      kept.push({ frame, sentMs: nowMs });
      bytes += frame.payload.length;
      dropOld(nowMs);
    },
    takeBack() {
      again = [...kept.slice(begin).map((sent) => sent.frame), ...again.slice(at)];
      at = 0;
      kept = [];
      begin = 0;
      bytes = 0;
    },
    next() {
      const frame = again[at++];
      if (frame === undefined) {
        again = [];
        at = 0;
      }
      return frame;
    },
    waiting: () => Math.max(0, again.length - at),
  };
}
