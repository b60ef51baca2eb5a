/**
 * A reader that looks at the one-minute candles again and again while faults happen, and remembers what must never be seen.
 * It must not wait for anything: an api that does not answer is looked at again.
 */
import type { ApiCandle } from '../whole-path/market-client.ts';

/** A running watch. */
export type CandleWatch = {
  /** A closed candle that changed without a new revision or opened again, an open one that shrank. Limits: the first 100. */
  faults(): readonly string[];
  looks(): number;
  /** Forgets what was seen and found, because the database was taken back to an earlier state on purpose. */
  forget(): void;
  stop(): Promise<void>;
};

const LOOK_EVERY_MS = 200;
const FAULTS_MAX = 100;
const CANDLES = 5;

/** Starts to watch. `read` answers the newest candles of a symbol, oldest first. */
export function startCandleWatch(
  symbols: readonly string[],
  read: (symbol: string, interval: string, limit: number) => Promise<ApiCandle[]>,
): CandleWatch {
  const seen = new Map<string, ApiCandle>();
  const faults: string[] = [];
  let looks = 0;
  let forgotten = 0;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const compare = (symbol: string, candle: ApiCandle | null): void => {
    if (candle === null) {
      if (faults.length < FAULTS_MAX) faults.push(`${symbol} has a candle that is none`);
      return;
    }
    const name = `${symbol} ${new Date(candle.openTime).toISOString()}`;
    const fault = faultBetween(seen.get(name), candle);
    if (fault !== undefined && faults.length < FAULTS_MAX) faults.push(`${name} ${fault}`);
    seen.set(name, candle);
  };

  const look = async (): Promise<void> => {
    const began = forgotten;
    for (const symbol of symbols) {
      // While the api is down there is nothing to see.
      const candles = await read(symbol, '1m', CANDLES).catch(() => []);
      if (forgotten === began) for (const candle of candles) compare(symbol, candle);
    }
    looks++;
  };

  const run = async (): Promise<void> => {
    await look();
    if (!stopped) timer = setTimeout(() => (turn = run()), LOOK_EVERY_MS);
  };
  let turn = run();
  return {
    faults: () => faults,
    looks: () => looks,
    forget: () => {
      seen.clear();
      faults.length = 0;
      forgotten++;
    },
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await turn;
    },
  };
}

/** What a reader who saw `before` must not see after it; undefined when `after` is fine. */
export function faultBetween(before: ApiCandle | undefined, after: ApiCandle): string | undefined {
  if (before === undefined) return undefined;
  if (after.revision < before.revision) return `went back from revision ${before.revision} to ${after.revision}`;
  if (after.trades < before.trades) return `shrank from ${before.trades} to ${after.trades} trades`;
  if (!before.closed) return undefined;
  if (!after.closed) return 'opened again';
  const same = textOf(before) === textOf(after);
  return same || after.revision > before.revision ? undefined : `changed at revision ${after.revision}`;
}

function textOf({ open, high, low, close, volume, quoteVolume, trades }: ApiCandle): string {
  return [open, high, low, close, volume, quoteVolume, trades].join(' ');
}
