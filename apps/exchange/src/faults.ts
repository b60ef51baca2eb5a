/**
 * The faults that tests switch on: what is set, how it is read from JSON, and what it does to each frame.
 * It must be pure but for its counters: sockets, REST and pump ask it and act themselves.
 */

import { SPOILS, type Spoil } from './tick-spoils.ts';
import { createTickTruths, type TickTruth } from './tick-truths.ts';

/** Faults that stay until changed. Units: last in the names. */
export type FaultSettings = {
  /** Closes every connection each so many seconds; 0 is never. */
  dropEveryS: number;
  /** The code that fault and `drop` close with; 1006 cuts the connection without a word. */
  closeCode: number;
  /** Cuts new connections before the upgrade. */
  refuse: boolean;
  /** Answers upgrades with this HTTP status; 0 is off. 429 and 418 come with Retry-After. */
  upgradeStatus: number;
  upgradeRetryAfterS: number;
  stopPings: boolean;
  /** Extra pings a second; pongs are not counted against the client while it is set. */
  pingFloodPerS: number;
  /** Symbols of which the sockets send nothing; REST still has it. */
  silentSymbols: readonly string[];
  /** Each n-th tick frame is sent twice, left out (REST still has it), sent late, or followed by a copy with another price; 0 is off. */
  duplicateEvery: number;
  dropEvery: number;
  delayEvery: number;
  delayMs: number;
  conflictEvery: number;
  /** Each tick frame is sent late by up to this, each by another time; 0 is off. */
  reorderMs: number;
  /** Each n-th tick frame of a channel that they fit is spoiled, by the ways named in `spoils` in turn, all of them when it is empty; 0 is off. */
  spoilEvery: number;
  spoils: readonly string[];
  /** What becomes of SUBSCRIBE: obeyed, unanswered and ignored, refused, or only its first half done. */
  subscribe: 'ok' | 'lost' | 'refused' | 'partial';
  /** Answers REST with this status (429, 418, 5xx…); 0 is off. */
  restStatus: number;
  restRetryAfterS: number;
  restDelayMs: number;
  /** Cuts REST lists to this share of their rows. */
  restShare: number;
  /** Added to the time that `/api/v3/time` tells. */
  timeOffsetMs: number;
};

/** What becomes of one tick frame, or the way in which it is spoiled. */
export type FrameFate = 'send' | 'twice' | 'drop' | 'late' | 'conflict' | Spoil;

/** A change that a fault made to what was sent. */
export type FaultRecord = { readonly fault: string; readonly stream: string; readonly id: number };

/** The faults of one exchange. */
export type Faults = {
  settings(): Readonly<FaultSettings>;
  /** Takes a patch of settings. Errors: RangeError that names the setting and its form. */
  change(patch: Record<string, unknown>): void;
  reset(): void;
  /** Decides about one tick frame of a stream and notes what it changed. */
  fateOf(symbol: string, stream: string, id: number): FrameFate;
  /** The newest changes. Limits: RECORDS_MAX. */
  records(): readonly FaultRecord[];
  /** What is true of a tick whose frame was spoiled. */
  truthOf(stream: string, id: number): TickTruth | undefined;
};

/** Most changes that are remembered. */
export const RECORDS_MAX = 100_000;

const NONE: FaultSettings = {
  dropEveryS: 0,
  closeCode: 1006,
  refuse: false,
  upgradeStatus: 0,
  upgradeRetryAfterS: 5,
  stopPings: false,
  pingFloodPerS: 0,
  silentSymbols: [],
  duplicateEvery: 0,
  dropEvery: 0,
  delayEvery: 0,
  delayMs: 1000,
  conflictEvery: 0,
  reorderMs: 0,
  spoilEvery: 0,
  spoils: [],
  subscribe: 'ok',
  restStatus: 0,
  restRetryAfterS: 1,
  restDelayMs: 0,
  restShare: 1,
  timeOffsetMs: 0,
};
const SUBSCRIBE_FATES = ['ok', 'lost', 'refused', 'partial'];

/** No faults. */
export function createFaults(): Faults {
  let settings = { ...NONE };
  let touchesFrames = false;
  let frames = 0;
  let spoilable = 0;
  let spoiled = 0;
  let records: FaultRecord[] = [];
  const truths = createTickTruths();

  function use(next: FaultSettings): void {
    settings = next;
    const { duplicateEvery, dropEvery, delayEvery, conflictEvery, reorderMs, spoilEvery } = next;
    touchesFrames =
      next.silentSymbols.length > 0 ||
      [duplicateEvery, dropEvery, delayEvery, conflictEvery, reorderMs, spoilEvery].some((knob) => knob > 0);
  }

  function note(fate: FrameFate, stream: string, id: number): FrameFate {
    if (records.length >= RECORDS_MAX) records = records.slice(RECORDS_MAX / 2);
    records.push({ fault: typeof fate === 'string' ? fate : fate.name, stream, id });
    return fate;
  }

  // Only frames that some wanted way fits are counted, so that each n-th of them is spoiled.
  function nextSpoil(stream: string, id: number): FrameFate {
    const channel = stream.slice(stream.indexOf('@') + 1);
    const names = settings.spoils.length > 0 ? settings.spoils : [...SPOILS.keys()];
    const fitting = names.flatMap((name) => SPOILS.get(name) ?? []).filter((spoil) => spoil.channel === channel);
    if (fitting.length === 0 || !isTurn(++spoilable, settings.spoilEvery)) return 'send';
    const spoil = fitting[spoiled++ % fitting.length];
    return spoil !== undefined && truths.note(stream, id, spoil) ? note(spoil, stream, id) : 'send';
  }

  return {
    settings: () => settings,
    change(patch) {
      const next: Record<string, unknown> = { ...settings };
      for (const [name, value] of Object.entries(patch)) next[name] = checkedSetting(name, value);
      use(next as FaultSettings);
    },
    reset: () => use({ ...NONE }),
    fateOf(symbol, stream, id) {
      if (!touchesFrames) return 'send';
      frames++;
      if (settings.silentSymbols.includes(symbol)) return note('drop', stream, id);
      if (isTurn(frames, settings.dropEvery)) return note('drop', stream, id);
      if (isTurn(frames, settings.duplicateEvery)) return note('twice', stream, id);
      if (isTurn(frames, settings.delayEvery)) return note('late', stream, id);
      if (isTurn(frames, settings.conflictEvery)) return note('conflict', stream, id);
      if (settings.reorderMs > 0) return note('late', stream, id);
      return settings.spoilEvery > 0 ? nextSpoil(stream, id) : 'send';
    },
    records: () => records,
    truthOf: truths.of,
  };
}

function isTurn(frames: number, every: number): boolean {
  return every > 0 && frames % every === 0;
}

function checkedSetting(name: string, value: unknown): unknown {
  if (!Object.hasOwn(NONE, name)) throw new RangeError(`no fault "${name}"; GET /exchange/faults lists them`);
  const known = NONE[name as keyof FaultSettings];
  if (name === 'subscribe' && !SUBSCRIBE_FATES.includes(value as string)) {
    throw new RangeError(`subscribe must be one of ${SUBSCRIBE_FATES.join(', ')}`);
  }
  if (name === 'spoils' && Array.isArray(value)) {
    const unknown = value.find((spoil) => !SPOILS.has(spoil));
    if (unknown !== undefined) throw new RangeError(`no spoil "${unknown}"; GET /exchange/faults lists them`);
  }
  if (Array.isArray(known)) {
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
    throw new RangeError(`${name} must be an array of texts`);
  }
  const fits = typeof value === typeof known && (typeof value !== 'number' || Number.isFinite(value));
  if (!fits) throw new RangeError(`${name} must be a ${typeof known}`);
  return value;
}

/** A payload with another price, as if two truths had one id. */
export function conflictingPayload(payload: string): string {
  return payload.replace(/"([pb])":"(\d+)/, (_, key: string, whole: string) => `"${key}":"${Number(whole) + 1}`);
}
