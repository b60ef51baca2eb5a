/**
 * Binance's limits: messages a second, connections in five minutes, request weight a minute with its bans.
 * It must be pure but for its counts, and is handed the time.
 */

/** Counts events in a sliding time. */
export type SlidingLimit = {
  /** Counts one event; false when it is one too many. */
  take(nowMs: number): boolean;
  /** The most events that ever came within the window. */
  most(): number;
};

/** At most `max` events within `windowMs`. */
export function createSlidingLimit(max: number, windowMs: number): SlidingLimit {
  let times: number[] = [];
  let most = 0;
  return {
    take(nowMs) {
      times = times.filter((time) => time > nowMs - windowMs);
      times.push(nowMs);
      most = Math.max(most, times.length);
      return times.length <= max;
    },
    most: () => most,
  };
}

/** What a request is told. Units: seconds. */
export type WeightVerdict = {
  readonly status: 200 | 429 | 418;
  readonly used: number;
  readonly retryAfterS: number;
  readonly bannedUntilMs: number;
};

/** The request weight of one address. */
export type WeightLimit = { take(weight: number, nowMs: number): WeightVerdict };

/** Weight that an address may use in a minute. */
export const WEIGHT_PER_MINUTE = 6000;

const MINUTE_MS = 60_000;
const REFUSED_BEFORE_BAN = 10;
const BAN_MS = 120_000;

/** Counts weight in minutes of the clock; who goes on after 429 is banned for two minutes. */
export function createWeightLimit(max = WEIGHT_PER_MINUTE): WeightLimit {
  let minute = -1;
  let used = 0;
  let refused = 0;
  let bannedUntilMs = 0;
  return {
    take(weight, nowMs) {
      const current = Math.floor(nowMs / MINUTE_MS);
      if (current !== minute) {
        minute = current;
        used = 0;
        refused = 0;
      }
      if (nowMs < bannedUntilMs) {
        return { status: 418, used, retryAfterS: Math.ceil((bannedUntilMs - nowMs) / 1000), bannedUntilMs };
      }
      used += weight;
      const retryAfterS = Math.ceil(((minute + 1) * MINUTE_MS - nowMs) / 1000);
      if (used <= max) return { status: 200, used, retryAfterS, bannedUntilMs: 0 };
      refused++;
      if (refused <= REFUSED_BEFORE_BAN) return { status: 429, used, retryAfterS, bannedUntilMs: 0 };
      bannedUntilMs = nowMs + BAN_MS;
      return { status: 418, used, retryAfterS: BAN_MS / 1000, bannedUntilMs };
    },
  };
}

/** One limit an address; the longest unused one goes when there are too many. */
export function createPerAddress<T>(make: () => T, addressesMax = 10_000): (address: string) => T {
  const known = new Map<string, T>();
  return (address) => {
    const limit = known.get(address) ?? make();
    known.delete(address);
    known.set(address, limit);
    if (known.size > addressesMax) known.delete(known.keys().next().value as string);
    return limit;
  };
}
