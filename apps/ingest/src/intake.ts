/**
 * The path of one frame: stamp it, read it, queue what it means.
 * It must stay quick (it runs for every frame) and let nothing but bounded samples of bad input through.
 */
import type { Logger } from '@wickstream/shared/log';
import type { Channel } from '@wickstream/shared/names';
import type { Quarantined, Tick } from '@wickstream/shared/tick';
import type { ClockBeat } from './clock-beat.ts';
import type { FeedClock } from './feed-clock.ts';
import type { IngestCounts } from './ingest-counts.ts';
import { refuseInput } from './refusal.ts';
import type { StreamWriter } from './stream-writer.ts';
import type { ParsedFrame, VenueAdapter, VenueReply, VenueShutdown, VenueStream } from './venue.ts';

/** What intake is given. Order: `streams` by the venue's stream name. */
export type IntakeOptions = {
  readonly adapter: VenueAdapter;
  readonly streams: ReadonlyMap<string, VenueStream>;
  readonly channels: readonly Channel[];
  readonly clock: FeedClock;
  readonly beat: ClockBeat;
  readonly writer: StreamWriter;
  readonly counts: IngestCounts;
  /** Called for each tick that is ahead of the clock: perhaps it is the clock that is behind. */
  readonly onFuture: () => void;
  readonly log: Logger;
};

/** Takes what the connections receive. */
export type Intake = {
  /** Takes one text frame; returns it when it is meant for the connection itself. */
  receive(text: string): VenueReply | VenueShutdown | undefined;
  /** Takes a binary frame, which no venue here sends. */
  receiveBinary(data: Buffer): void;
  /** Takes note of a frame that was too large to be read. */
  receiveTooLarge(): void;
};

const BINARY_SAMPLE_BYTES = 64;

/** Creates the intake. */
export function createIntake(options: IntakeOptions): Intake {
  const { adapter, streams, clock, beat, writer, counts, log } = options;
  const singleTrade = options.channels.includes('trade') ? 'trade' : 'aggTrade';
  const traced = log.isLevelEnabled('trace');

  const receive = (text: string): VenueReply | VenueShutdown | undefined => {
    if (traced) log.trace({ frame: text.slice(0, 512) }, 'frame');
    const parsed = clock.replay ? readReplayed(text) : readLive(text);
    switch (parsed.kind) {
      case 'reply':
      case 'shutdown':
        counts.frames.other++;
        return parsed;
      case 'clock':
        counts.frames.other++;
        return undefined;
      case 'quarantined':
        refuse(parsed);
        return undefined;
      default:
        take(parsed);
        return undefined;
    }
  };

  const readLive = (text: string): ParsedFrame => {
    const receivedAtUs = clock.localUs();
    const nowUs = receivedAtUs + (clock.offsetUs() ?? 0);
    return adapter.parseFrame(text, { streams, receivedAtUs, nowUs, stampUs: nowUs });
  };

  const readReplayed = (text: string): ParsedFrame => {
    const recordedUs = adapter.readReceivedAtUs(text);
    if (recordedUs !== undefined) {
      clock.advanceTo(recordedUs);
      beat.cross();
    }
    const stampUs = recordedUs ?? clock.nowUs();
    const parsed = adapter.parseFrame(text, { streams, receivedAtUs: stampUs, nowUs: clock.nowUs(), stampUs });
    const isTick = parsed.kind === 'trade' || parsed.kind === 'quote' || parsed.kind === 'ticker';
    // Without the recording's time a tick would be stamped with a time that nobody saw.
    return isTick && recordedUs === undefined ? refuseInput('missing_field', text, stampUs) : parsed;
  };

  const take = (tick: Tick): void => {
    counts.frames[channelOf(tick, singleTrade)]++;
    const count = counts.symbols.get(tick.symbol);
    // Frames of a symbol that was removed a moment ago are still on their way.
    if (count === undefined) return;
    count.frames++;
    count.lastFrameMs = performance.now();
    if (tick.kind === 'quote') count.lastQuoteMs = count.lastFrameMs;
    if (tick.kind === 'trade') {
      count.lastTradeMs = count.lastFrameMs;
      count.lastTradeId = Math.max(count.lastTradeId, tick.lastId);
    }
    writer.writeTick(tick);
  };

  const refuse = (refused: Quarantined): void => {
    counts.frames.other++;
    counts.quarantined[refused.reason] += refused.count;
    if (refused.reason === 'future_time') options.onFuture();
    writer.writeRefusal(refused);
  };

  return {
    receive,
    receiveBinary: (data) => {
      const sample = `binary ${data.subarray(0, BINARY_SAMPLE_BYTES).toString('hex')}`;
      refuse(refuseInput('malformed_frame', sample, nowOrLocal(clock)));
    },
    receiveTooLarge: () => refuse(refuseInput('frame_too_large', '', nowOrLocal(clock))),
  };
}

function channelOf(tick: Tick, singleTrade: Channel): Channel {
  switch (tick.kind) {
    case 'trade':
      return tick.id === tick.lastId ? singleTrade : 'aggTrade';
    case 'quote':
      return 'bookTicker';
    case 'ticker':
      return tick.window === '1h' ? 'ticker_1h' : 'ticker_1d';
  }
}

function nowOrLocal(clock: FeedClock): number {
  return clock.replay ? clock.nowUs() : clock.localUs();
}
