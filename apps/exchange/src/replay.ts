/**
 * The player of recordings: sends each frame to its subscribers, at the recording's pace or as fast as they read.
 * It must shed nothing: it waits for receivers that are behind, and stands still while nobody is subscribed.
 */
import { setImmediate } from 'node:timers/promises';
import type { Broadcast } from './broadcast.ts';
import { conflictingPayload, type Faults } from './faults.ts';
import { payloadInUs, type RecordedFrame, tickOf } from './recorded-frame.ts';
import { type LineCounts, mergeFrames, type RecordingSummary } from './recording-files.ts';
import type { RecordingMarket } from './recording-market.ts';
import { createSentFrames } from './sent-frames.ts';

/** How a replay stands. Units: `clock` ms. `sent` counts frames that somebody received, `resent` those sent again after a loss. */
export type ReplayStatus = {
  readonly files: readonly string[];
  readonly symbols: readonly string[];
  readonly channels: readonly string[];
  readonly state: 'waiting' | 'playing' | 'finished' | 'failed';
  readonly paused: boolean;
  readonly error?: string;
  readonly clock: number;
  readonly firstNs: string;
  readonly lastNs: string;
  readonly frames: number;
  readonly played: number;
  readonly sent: number;
  readonly skipped: number;
  readonly resent: number;
  readonly unparsable: number;
  readonly otherLines: number;
};

/** A player. */
export type Replay = {
  status(): ReplayStatus;
  pause(): void;
  resume(): void;
  /** Plays again from a receive time on; frames are sent twice, the market keeps what it knows. Units: 19 digits of ns. */
  rewind(toNs: string): void;
  /** To be called when a receiver can take more. */
  wake(): void;
  close(): Promise<void>;
};

/** What a replay needs. `blocked` says whether a receiver is behind. */
export type ReplayContext = {
  readonly files: readonly string[];
  readonly symbol: string | undefined;
  readonly speed: number | 'max';
  readonly summary: RecordingSummary;
  readonly market: RecordingMarket;
  readonly broadcast: Broadcast;
  readonly faults: Faults;
  blocked(): boolean;
};

/** Playing begins when no stream was added for this long, so that several sockets miss no first frame. Units: ms. */
export const SETTLE_MS = 250;
/** Playing begins at the latest this long after the first subscription. Units: ms. */
export const SETTLE_MS_MAX = 2000;

/** How far the clock runs on behind a day's end: the longest grace that candles may be given. Units: ms. */
export const CLOSE_GRACE_MS_MAX = 60_000;

const TURN_MS = 5;
const TURN_FRAMES = 256;
const LOOK_AGAIN_MS = 50;

/** Starts a player; it waits for the first subscriber to one of its streams. */
export function startReplay(context: ReplayContext): Replay {
  const { broadcast, market, faults, summary } = context;
  const sentFrames = createSentFrames();
  const counts: LineCounts = { frames: 0, other: 0, unparsable: 0, rows: 0 };
  const totals = { played: 0, sent: 0, skipped: 0, resent: 0, broken: 0 };
  let state: ReplayStatus['state'] = 'waiting';
  let error: string | undefined;
  let paused = false;
  let closed = false;
  let rewindTo: string | undefined;
  let subscribed = false;
  let settledAtMs = 0;
  let settledAtMsMax = 0;
  let wakeUp: () => void = () => undefined;
  let pace: { wallMs: number; timeMs: number } | undefined;
  let turnEndsMs = 0;

  broadcast.onChange((joined) => {
    const now = performance.now();
    const before = subscribed;
    subscribed = hasSubscribers();
    if (subscribed && !before) settledAtMsMax = now + SETTLE_MS_MAX;
    if (joined) settledAtMs = now + SETTLE_MS;
    // Whoever comes back after everybody had left may have lost what its socket still held.
    if (before && !subscribed) sentFrames.takeBack();
    wakeUp();
  });

  function hasSubscribers(): boolean {
    for (const topic of broadcast.topics()) if (summary.streams.has(topic.name)) return true;
    return false;
  }

  function mayPlay(): boolean {
    const now = performance.now();
    return subscribed && !paused && (now >= settledAtMs || now >= settledAtMsMax) && !context.blocked();
  }

  async function untilReady(): Promise<void> {
    if (performance.now() > turnEndsMs) {
      broadcast.flush();
      await setImmediate();
      turnEndsMs = performance.now() + TURN_MS;
    }
    while (!closed && rewindTo === undefined && !mayPlay()) {
      broadcast.flush();
      pace = undefined;
      await sleep(LOOK_AGAIN_MS);
    }
  }

  function sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function untilDue(timeNs: string): Promise<void> {
    if (context.speed === 'max') return;
    const timeMs = Number(timeNs.slice(0, -3)) / 1000;
    pace ??= { wallMs: performance.now(), timeMs };
    for (;;) {
      if (pace === undefined || closed || rewindTo !== undefined) return;
      const waitMs = pace.wallMs + (timeMs - pace.timeMs) / context.speed - performance.now();
      if (waitMs <= 0) return;
      broadcast.flush();
      await sleep(Math.min(waitMs, 1000));
      await untilReady();
    }
  }

  function send(frame: RecordedFrame): boolean {
    const ms = broadcast.topic(frame.stream, 'ms');
    const us = broadcast.topic(frame.stream, 'us');
    if (ms === undefined && us === undefined) return false;
    const fate = faults.fateOf(
      frame.stream.slice(0, frame.stream.indexOf('@')).toUpperCase(),
      frame.stream,
      totals.played,
    );
    if (fate === 'drop') return true;
    const extra = `,"receivedAtNs":${frame.timeNs.replace(/^0+(?=\d)/, '')}`;
    for (const topic of [ms, us]) {
      if (topic === undefined) continue;
      const payload = topic.unit === 'us' ? payloadInUs(frame) : frame.payload;
      broadcast.publish(topic, payload, extra);
      if (fate === 'twice') broadcast.publish(topic, payload, extra);
      if (fate === 'conflict') broadcast.publish(topic, conflictingPayload(payload), extra);
    }
    sentFrames.add(frame, performance.now());
    return true;
  }

  async function sendAgain(): Promise<void> {
    for (let frame = sentFrames.next(); frame !== undefined; frame = sentFrames.next()) {
      if (!send(frame)) totals.skipped++;
      totals.resent++;
      if (totals.resent % TURN_FRAMES === 0) await untilReady();
      if (closed || rewindTo !== undefined) return;
    }
  }

  async function play(frame: RecordedFrame): Promise<void> {
    if (totals.played % TURN_FRAMES === 0 || !subscribed || paused || context.speed !== 'max') await untilReady();
    // Whoever lost something, also while this frame waited for its time, is sent that first.
    do {
      if (sentFrames.waiting() > 0) await sendAgain();
      await untilDue(frame.timeNs);
      if (closed || rewindTo !== undefined) return;
    } while (sentFrames.waiting() > 0);
    state = 'playing';
    const tick = tickOf(frame);
    if (tick === 'bad') totals.broken++;
    else if (tick !== undefined) market.add(tick);
    market.advance(Number(frame.timeNs.slice(0, -3)));
    totals.played++;
    if (tick !== 'bad' && send(frame)) totals.sent++;
    else totals.skipped++;
  }

  async function playFrom(fromNs: string): Promise<void> {
    for await (const batch of mergeFrames(context.files, context.symbol, counts)) {
      for (const frame of batch) {
        if (frame.timeNs < fromNs) continue;
        await play(frame);
        if (closed || rewindTo !== undefined) return;
      }
    }
    market.advanceToNewestTrade();
    await endPeriod();
    broadcast.flush();
    state = 'finished';
  }

  // A day's file says that nothing more was traded that day, so its clock runs on until every candle of the day is closed.
  async function endPeriod(): Promise<void> {
    if (summary.endNs > summary.lastNs) {
      const clockUs = (Number(summary.endNs.slice(0, -6)) + CLOSE_GRACE_MS_MAX) * 1000;
      await untilReady();
      await untilDue(`${clockUs}000`);
      if (closed || rewindTo !== undefined) return;
      market.advance(clockUs);
    }
    tellClock();
  }

  // The last receive time may be behind the newest trade, or the day's end: receivers learn in order with their frames where the clock stops.
  function tellClock(): void {
    const clockUs = market.nowUs();
    const text = `{"stream":"!clock","data":{"e":"clock","E":${Math.floor(clockUs / 1000)}},"receivedAtNs":${clockUs}000}`;
    const receivers = [...broadcast.topics()].flatMap((topic) => [...topic.receivers]);
    for (const receiver of new Set(receivers)) if (receiver.combined) broadcast.sendText(receiver, text);
  }

  async function afterEnd(): Promise<void> {
    while (!closed && rewindTo === undefined) {
      if (sentFrames.waiting() > 0 && mayPlay()) {
        await sendAgain();
        tellClock();
        broadcast.flush();
      }
      await sleep(LOOK_AGAIN_MS);
    }
  }

  async function run(): Promise<void> {
    let fromNs = '';
    while (!closed) {
      await untilReady();
      await playFrom(fromNs);
      await afterEnd();
      fromNs = rewindTo ?? '';
      rewindTo = undefined;
      pace = undefined;
    }
  }

  const running = run().catch((reason: unknown) => {
    state = 'failed';
    error = reason instanceof Error ? reason.message : String(reason);
  });
  return {
    status: () => ({
      files: context.files,
      symbols: summary.symbols,
      channels: summary.channels,
      state,
      paused,
      ...(error === undefined ? {} : { error }),
      clock: Math.floor(market.nowUs() / 1000),
      firstNs: summary.firstNs,
      lastNs: summary.lastNs,
      frames: summary.frames,
      ...{ played: totals.played, sent: totals.sent, skipped: totals.skipped, resent: totals.resent },
      unparsable: summary.unparsable + totals.broken,
      otherLines: summary.other,
    }),
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      wakeUp();
    },
    rewind(toNs) {
      rewindTo = toNs;
      wakeUp();
    },
    wake: () => wakeUp(),
    async close() {
      closed = true;
      wakeUp();
      await running;
    },
  };
}
