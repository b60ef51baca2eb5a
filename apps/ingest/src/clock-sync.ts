/**
 * Compares this machine's clock with the venue's, at the start and each minute.
 * It must only measure; what a measurement changes is decided by the clock.
 */
import type { Logger } from '@wickstream/shared/log';
import type { ClockSample, FeedClock } from './feed-clock.ts';

/** Time between two measurements. Units: ms. */
export const MEASURE_EVERY_MS = 60_000;

/** Requests of one measurement; the quickest counts, since its delay hides least. */
export const SAMPLES = 4;

/** A measurement that must be confirmed, or failed, is repeated after this. Units: ms. */
export const REPEAT_AFTER_MS = 5000;

/** The running comparison. */
export type ClockSync = {
  /** Resolves after the first measurement, whether it succeeded or not. */
  readonly first: Promise<void>;
  /** Measures soon: the venue sent something that the clock says lies in the future. Limits: one measurement in REPEAT_AFTER_MS. */
  doubt(): void;
  close(): void;
};

/** Starts comparing. Errors: none; without the venue's time the machine's own is used, and the log says so. */
export function createClockSync(clock: FeedClock, readServerTimeMs: () => Promise<number>, log: Logger): ClockSync {
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let measuredAtMs = Number.NEGATIVE_INFINITY;

  const measure = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    measuredAtMs = performance.now();
    const repeatMs = (await tryMeasure()) ? MEASURE_EVERY_MS : REPEAT_AFTER_MS;
    if (!closed) timer = setTimeout(() => void measure(), repeatMs);
  };

  const tryMeasure = async (): Promise<boolean> => {
    try {
      const samples: ClockSample[] = [];
      for (let i = 0; i < SAMPLES; i++) samples.push(await takeSample());
      const believed = clock.correct(samples);
      log.debug({ offsetUs: clock.offsetUs(), believed }, 'clock compared with the venue');
      return believed;
    } catch (error) {
      log.warn({ reason: String(error) }, 'the venue tells no time; the clock keeps its last correction');
      return false;
    }
  };

  const takeSample = async (): Promise<ClockSample> => {
    const sentUs = clock.localUs();
    const serverMs = await readServerTimeMs();
    return { serverMs, sentUs, repliedUs: clock.localUs() };
  };

  return {
    first: measure(),
    doubt: () => {
      // Without a timer a measurement is under way.
      if (timer !== undefined && performance.now() - measuredAtMs >= REPEAT_AFTER_MS) void measure();
    },
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
}
