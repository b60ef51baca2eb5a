/**
 * A topic: the newest candles of one symbol, source and windowing, kept current for all clients that subscribed to them.
 * It must not know sockets; it says that it changed, and gives the candles changed since a position.
 */
import type { Source } from '@wickstream/shared/bar';
import { type Candle, closedThrough } from '@wickstream/shared/candle';
import type { Windowing } from '@wickstream/shared/interval';
import type { Turns } from '@wickstream/shared/turns';
import { firstWindowHolding } from './bar-windows.ts';
import type { CandleAnswers } from './candle-answer.ts';
import { CANDLES_MAX, type CandleQuery } from './candle-query.ts';
import type { LiveMemory } from './live-memory.ts';
import type { SymbolMemory } from './live-symbol.ts';

/** What a topic is about. Limits: `limit` from 1 to TOPIC_CANDLES_MAX. */
export type TopicName = {
  readonly venue: string;
  readonly symbol: string;
  readonly source: Source;
  readonly windowing: Windowing;
  readonly limit: number;
};

/** Most candles that one subscription keeps current. */
export const TOPIC_CANDLES_MAX = 500;

/** Between an answer of the database and the next question for a topic that is older than the memory. Units: ms. */
const SQL_INTERVAL_MS = 1_000;

/** A topic uses at most this share of the process: it rests ten times as long as its last evaluation took. */
const REST_FACTOR = 10;

/** A candle in its JSON form, with the position at which it last changed. */
type Item = { readonly candle: Candle; readonly json: string; readonly seq: number };

/** One topic. */
export type CandleTopic = ReturnType<typeof createCandleTopic>;

/** What a topic needs. Shape: `nowMs` is a clock that never goes back. */
export type TopicOptions = {
  /** Whose turn it is to ask the database again. */
  readonly askingTurn: Turns;
  readonly name: TopicName;
  readonly findOne: () => SymbolMemory;
  readonly memory: LiveMemory;
  readonly answers: Pick<CandleAnswers, 'answer' | 'answerAtOnce'>;
  readonly nowMs: () => number;
};

/** Creates a topic and evaluates it. Limits: `name.limit` candles; evaluations rest in proportion to their cost. Errors: `ready` rejects as the answer does. */
export function createCandleTopic({ name, findOne, memory, answers, askingTurn, nowMs }: TopicOptions) {
  const { source, windowing, limit } = name;
  const query: CandleQuery = { windowing, limit, fromUs: undefined, toUs: undefined, fill: 'none', closedOnly: false };
  const listeners = new Set<() => void>();
  let one = findOne();
  let items: readonly Item[] = [];
  let seq = memory.seq(one.shard);
  let floorSeq = seq;
  let dirtyFromUs = Number.NEGATIVE_INFINITY;
  let closedThroughUs = closedNow();
  let restUntilMs = 0;
  let timer: NodeJS.Timeout | undefined;
  let asking: Promise<void> | undefined;
  let closed = false;
  let written: { readonly after: number; readonly items: readonly Item[]; readonly json: string } | undefined;

  function closedNow(): number {
    return closedThrough(Math.max(memory.clockUs(one.shard), one.newestTsUs), memory.graceUs);
  }

  /** Returns whether a candle changed. */
  const replace = (kept: readonly Item[], candles: readonly Candle[]): boolean => {
    const known = new Map(items.map((item) => [item.candle.openTime, item]));
    const next = Math.max(memory.seq(one.shard), seq + 1);
    let changed = false;
    const fresh = candles.map((candle): Item => {
      const old = known.get(candle.openTime);
      const json = JSON.stringify(candle);
      if (old?.json === json) return old;
      changed = true;
      return { candle, json, seq: next };
    });
    const all = [...kept, ...fresh];
    // A client that resumes from before a dropped candle's last change could miss it, so it gets a snapshot.
    const newest = all.slice(-limit);
    const firstTime = newest[0]?.candle.openTime ?? 0;
    for (const item of [...items, ...all])
      if (item.candle.openTime < firstTime) floorSeq = Math.max(floorSeq, item.seq);
    items = newest;
    if (changed) seq = next;
    return changed;
  };

  const tellListeners = (): void => {
    for (const listener of listeners) listener();
  };

  /** Returns whether a candle changed; undefined when only the database can tell. */
  const evaluateAtOnce = (fromUs: number): boolean | undefined => {
    const first = items[0];
    if (first !== undefined && Number.isFinite(fromUs)) {
      const affectedUs = Math.max(firstWindowHolding(windowing, fromUs).openUs, first.candle.openTime * 1000);
      const part = answers.answerAtOnce(one, source, { ...query, fromUs: affectedUs, limit: CANDLES_MAX });
      if (part !== undefined && part.length < CANDLES_MAX) {
        const kept = items.filter((item) => item.candle.openTime * 1000 < affectedUs);
        return replace(kept, part);
      }
    }
    const whole = answers.answerAtOnce(one, source, query);
    return whole === undefined ? undefined : replace([], whole);
  };

  const evaluate = (): void => {
    const startMs = nowMs();
    one = findOne();
    const fromUs = dirtyFromUs;
    dirtyFromUs = Number.POSITIVE_INFINITY;
    closedThroughUs = closedNow();
    const changed = evaluateAtOnce(fromUs);
    if (changed !== undefined) {
      // Only what the evaluation took counts, not what its listeners do: with a thousand of them the topic would rest for most of the time.
      restUntilMs = nowMs() + (nowMs() - startMs) * REST_FACTOR;
      if (changed) tellListeners();
      return;
    }
    dirtyFromUs = fromUs;
    asking ??= askDatabase();
  };

  // It comes out of memory when that was loaded meanwhile.
  const readWhole = async (): Promise<boolean> => replace([], (await answers.answer(one, source, query)).candles);

  const askDatabase = async (): Promise<void> => {
    dirtyFromUs = Number.POSITIVE_INFINITY;
    try {
      // A client waits for the first answer; the others take turns, since the database may be busy with what the memory waits for.
      if (await (items.length === 0 ? readWhole() : askingTurn(readWhole))) tellListeners();
    } finally {
      restUntilMs = nowMs() + SQL_INTERVAL_MS;
      asking = undefined;
    }
  };

  const schedule = (): void => {
    if (closed || timer !== undefined || asking !== undefined) return;
    const waitMs = restUntilMs - nowMs();
    if (waitMs <= 0) {
      evaluateSafely();
      return;
    }
    timer = setTimeout(() => {
      timer = undefined;
      evaluateSafely();
    }, waitMs);
  };

  const evaluateSafely = (): void => {
    evaluate();
    // A database that does not answer leaves the topic as it is; the next try follows with the next commit.
    asking?.catch(() => {
      dirtyFromUs = Number.NEGATIVE_INFINITY;
    });
  };

  const notice = (changedFromUs: number | undefined): void => {
    const closing = closedNow();
    if (changedFromUs !== undefined) dirtyFromUs = Math.min(dirtyFromUs, changedFromUs);
    if (closing !== closedThroughUs) dirtyFromUs = Math.min(dirtyFromUs, closedThroughUs);
    if (dirtyFromUs !== Number.POSITIVE_INFINITY) schedule();
  };

  evaluate();
  const ready = asking ?? Promise.resolve();
  ready.catch(() => undefined);
  return {
    name,
    shard: one.shard,
    ready,
    /** Whether the symbol's source is not listened to at this time, as far as the last commit knows. */
    isUnheard: () => one.unknownOf(source).some((time) => time.toTsUs === Number.POSITIVE_INFINITY),
    asOfUs: () => one.newestTsUs,
    get seq() {
      return seq;
    },
    /** Takes note of a commit: which bars of the topic it changed, and whether its clock closed a window. */
    notice,
    /** Takes note of a new base: anything may have changed, and the memory can tell it at once. */
    reload(): void {
      clearTimeout(timer);
      timer = undefined;
      restUntilMs = 0;
      notice(Number.NEGATIVE_INFINITY);
    },
    /** All candles. Order: oldest first. */
    candles: () => items.map((item) => item.candle),
    /** Whether every commit that was noted is in the candles. */
    isCurrent: () => dirtyFromUs === Number.POSITIVE_INFINITY && asking === undefined,
    /** JSON of all candles, with commas between them. Order: oldest first. */
    all: () => jsonOf(items),
    /** JSON of the candles that changed after a position, likewise; empty when none did. */
    after: (position: number) => {
      // A thousand clients that were sent the last update are all sent this one.
      if (written?.after !== position || written.items !== items) {
        written = { after: position, items, json: jsonOf(items.filter((item) => item.seq > position)) };
      }
      return written.json;
    },
    /** Whether every change after a position is still known. */
    reaches: (position: number) => position >= floorSeq && position <= seq,
    listen(listener: () => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get listeners() {
      return listeners.size;
    },
    close(): void {
      closed = true;
      clearTimeout(timer);
    },
  };
}

function jsonOf(items: readonly Item[]): string {
  return items.map((item) => item.json).join(',');
}
