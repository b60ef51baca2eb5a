/**
 * What time it is for the feed: the exchange's time live, the recording's in a replay.
 * It must not read the wall clock after its start (which may jump) and do no I/O.
 */

/** One comparison of clocks. Units: `serverMs` ms since the epoch; `sentUs`, `repliedUs` µs of `localUs()`. */
export type ClockSample = { readonly serverMs: number; readonly sentUs: number; readonly repliedUs: number };

/** A correction that differs by more than this from the last one is believed only when a second measurement agrees. Units: µs. */
export const STEP_MAX_US = 1_000_000;

/** Time for the whole app. Units: µs since the epoch, whole. */
export type FeedClock = {
  /** This machine's time, immune to jumps of its wall clock. */
  localUs(): number;
  /** The feed's time; 0 in a replay before its first frame. Order: a replay's never goes backwards. */
  nowUs(): number;
  /** Takes a replayed frame's receive time; a live clock ignores it. */
  advanceTo(receivedAtUs: number): void;
  /** Takes the samples of one measurement, the quickest of which counts; false when a second measurement must agree first. */
  correct(samples: readonly ClockSample[]): boolean;
  /** Runs `action` once the time is known: at once, but in a replay at its first frame. */
  onceKnown(action: () => void): void;
  /** Exchange time minus local time; null until measured. */
  offsetUs(): number | null;
  readonly replay: boolean;
};

/** Creates a clock. Shape: `readLocalUs` may be replaced in tests. */
export function createFeedClock(replay: boolean, readLocalUs: () => number = readMonotonicUs): FeedClock {
  let newestUs = 0;
  let offsetUs: number | null = null;
  let suspectUs: number | null = null;
  const actions: (() => void)[] = [];

  const advanceTo = (receivedAtUs: number): void => {
    if (receivedAtUs <= newestUs) return;
    newestUs = receivedAtUs;
    for (const action of actions.splice(0)) action();
  };

  const correct = (samples: readonly ClockSample[]): boolean => {
    const best = samples.toSorted((a, b) => a.repliedUs - a.sentUs - (b.repliedUs - b.sentUs))[0];
    if (best === undefined) return false;
    const measuredUs = Math.round(best.serverMs * 1000 - (best.sentUs + best.repliedUs) / 2);
    const believed =
      isClose(measuredUs, offsetUs ?? measuredUs) || (suspectUs !== null && isClose(measuredUs, suspectUs));
    suspectUs = believed ? null : measuredUs;
    if (believed) offsetUs = measuredUs;
    return believed;
  };

  return {
    replay,
    localUs: readLocalUs,
    nowUs: replay ? () => newestUs : () => readLocalUs() + (offsetUs ?? 0),
    advanceTo: replay ? advanceTo : () => undefined,
    correct,
    onceKnown: (action) => {
      if (replay && newestUs === 0) actions.push(action);
      else action();
    },
    offsetUs: () => offsetUs,
  };
}

function isClose(aUs: number, bUs: number): boolean {
  return Math.abs(aUs - bUs) <= STEP_MAX_US;
}

function readMonotonicUs(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}
