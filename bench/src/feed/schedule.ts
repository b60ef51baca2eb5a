/**
 * Which frames are due at a moment, symbol by symbol, and when each trade was sent.
 * It must depend on the time it is handed only.
 */
import { createNumberList, type NumberList } from '../percentiles.ts';
import { createPriceWalk, createRandom } from '../tape.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { FeedSymbol, SentTrades } from './messages.ts';

/** The frames to send. Units: `nowMs` monotonic, `wallMs` since the epoch. */
export type Schedule = {
  /** Writes every frame that is due. */
  writeDue(nowMs: number, wallMs: number, frames: FrameWriter): void;
  /** Changes all rates from now on. */
  scale(scale: number, nowMs: number): void;
  log(): { trades: SentTrades[]; sentTrades: number; sentQuotes: number };
};

/** Different prices and quantities of a symbol, used in turn; making them is not what is measured. */
const VARIANTS = 512;

type Line = {
  readonly name: FeedSymbol;
  readonly tails: readonly string[];
  readonly tradeHead: string;
  readonly quoteHead: string;
  readonly quoteTails: readonly string[];
  readonly sentMs: NumberList;
  readonly minutes: [number, number][];
  tradesDue: number;
  quotesDue: number;
  quoteId: number;
};

/** Creates the schedule of symbols. Order: a turn's frames go round the symbols, so that none waits for another's burst. */
export function createSchedule(symbols: readonly FeedSymbol[], firstScale: number, startMs: number): Schedule {
  const lines = symbols.map(createLine);
  let scale = firstScale;
  let lastMs = startMs;
  let sentQuotes = 0;

  const writeTrade = (line: Line, nowMs: number, wallMs: number, frames: FrameWriter): void => {
    const index = line.sentMs.length;
    const minuteMs = wallMs - (wallMs % 60_000);
    if (line.minutes.at(-1)?.[0] !== minuteMs) line.minutes.push([minuteMs, index]);
    line.sentMs.push(nowMs);
    frames.write(
      `${line.tradeHead}${wallMs},"s":"${line.name.symbol}","t":${index + 1},${line.tails[index % VARIANTS]}${wallMs},"m":${index % 2 === 0},"M":true}}`,
    );
  };

  const writeQuote = (line: Line, frames: FrameWriter): void => {
    const id = line.quoteId++;
    sentQuotes++;
    frames.write(`${line.quoteHead}${id}${line.quoteTails[id % VARIANTS]}`);
  };

  return {
    writeDue: (nowMs, wallMs, frames) => {
      const seconds = ((nowMs - lastMs) / 1000) * scale;
      lastMs = nowMs;
      for (const line of lines) {
        line.tradesDue += line.name.tradesPerSecond * seconds;
        line.quotesDue += line.name.quotesPerSecond * seconds;
      }
      for (let more = true; more; ) {
        more = false;
        for (const line of lines) {
          if (line.tradesDue >= 1) {
            line.tradesDue--;
            more = true;
            writeTrade(line, nowMs, wallMs, frames);
          }
          if (line.quotesDue >= 1) {
            line.quotesDue--;
            more = true;
            writeQuote(line, frames);
          }
        }
      }
    },
    scale: (next) => {
      scale = next;
    },
    log: () => {
      const trades = lines.map((line) => ({
        symbol: line.name.symbol,
        sentMs: line.sentMs.values(),
        minutes: line.minutes,
      }));
      return { trades, sentTrades: trades.reduce((sum, one) => sum + one.sentMs.length, 0), sentQuotes };
    },
  };
}

function createLine(name: FeedSymbol, index: number): Line {
  const walk = createPriceWalk(createRandom(index + 1));
  const stream = name.symbol.toLowerCase();
  const random = createRandom(index + 1_000_000);
  const tails: string[] = [];
  const quoteTails: string[] = [];
  for (let i = 0; i < VARIANTS; i++) {
    walk.step();
    const bid = walk.price();
    const ask = (Number(bid) + 0.01).toFixed(2);
    tails.push(`"p":"${bid}","q":"${walk.quantity()}","T":`);
    quoteTails.push(
      `,"s":"${name.symbol}","b":"${bid}","B":"${walk.quantity()}","a":"${ask}","A":"${walk.quantity()}"}}`,
    );
  }
  return {
    name,
    tails,
    quoteTails,
    tradeHead: `{"stream":"${stream}@trade","data":{"e":"trade","E":`,
    quoteHead: `{"stream":"${stream}@bookTicker","data":{"u":`,
    sentMs: createNumberList(),
    minutes: [],
    // Spread over a second, so that equal rates do not come due together.
    tradesDue: random(),
    quotesDue: random(),
    quoteId: 50_000_000,
  };
}
