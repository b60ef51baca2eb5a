/**
 * What a soak was asked for on its command line.
 * It must start nothing.
 */
import { parseArgs } from 'node:util';

/** The options of a soak. Units: `rate` in events a minute and symbol, trades and quotes together. */
export type SoakOptions = {
  readonly minutes: number;
  readonly seed: number;
  readonly engine: 'timescaledb' | 'postgresql' | undefined;
  readonly symbols: number;
  readonly rate: number;
};

/** How the simulated exchange splits its events: of five, one is a trade and four are quotes. */
export const EVENTS_PER_TRADE = 5;

/** How to call a soak. */
export const SOAK_USAGE =
  'npm run soak -- --minutes N --seed S [--engine timescaledb|postgresql] [--symbols 20] [--rate 25000]';

/** A call that cannot be followed; the message says the mend. */
export class SoakUsageError extends Error {
  override readonly name = 'SoakUsageError';
}

/** Reads the arguments. Errors: SoakUsageError. */
export function readSoakOptions(args: string[]): SoakOptions {
  const text = { type: 'string' } as const;
  const options = { minutes: text, seed: text, engine: text, symbols: text, rate: text };
  const values = parse(() => parseArgs({ args, options }).values);
  const number = (name: 'minutes' | 'seed' | 'symbols' | 'rate', fallback: number, min: number, max: number) => {
    const value = Number(values[name] ?? fallback);
    if (Number.isFinite(value) && value >= min && value <= max) return value;
    throw new SoakUsageError(`--${name} must be a number from ${min} to ${max}; use ${SOAK_USAGE}`);
  };
  const { engine } = values;
  if (engine !== undefined && engine !== 'timescaledb' && engine !== 'postgresql') {
    throw new SoakUsageError(`--engine must be timescaledb or postgresql; use ${SOAK_USAGE}`);
  }
  return {
    minutes: number('minutes', 5, 0.5, 10_000),
    seed: Math.floor(number('seed', 1, 0, 2 ** 31)),
    engine,
    symbols: Math.floor(number('symbols', 20, 1, 200)),
    rate: number('rate', 25_000, 5, 1_000_000),
  };
}

function parse<Values>(read: () => Values): Values {
  try {
    return read();
  } catch (error) {
    throw new SoakUsageError(`${error instanceof Error ? error.message : error}; use ${SOAK_USAGE}`);
  }
}
