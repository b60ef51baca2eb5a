/**
 * Ways to spoil the frame of a tick, each with the truth about what is left of it.
 * It must be pure, and hold no value of which a reader could not say whether it is valid.
 */

/**
 * What a spoiled frame still says. `refused`: it names its id, and its values cannot be used, so the tick is not valid.
 * `unreadable`: it does not even tell its id, so the tick is as good as not sent, and the history has it.
 * `changed`: it is valid, with another time or price than the tape's.
 */
export type SpoilTruth =
  | { readonly kind: 'refused' }
  | { readonly kind: 'unreadable' }
  | { readonly kind: 'changed'; readonly shiftUs?: number; readonly price?: string };

/** One way to spoil. Shape: `apply` is given the payload as it would be sent, times in ms. */
export type Spoil = {
  readonly name: string;
  readonly channel: 'trade' | 'bookTicker';
  readonly truth: SpoilTruth;
  apply(payload: string): string;
};

const MINUTE_MS = 60_000;
/** Two days are more than a recorder of the simulated market keeps, so it refuses those. */
const KEPT_MS = 1440 * MINUTE_MS;
const LATE_MS = {
  'late-1m': MINUTE_MS,
  'late-10m': 10 * MINUTE_MS,
  'late-2h': 120 * MINUTE_MS,
  'late-2d': 2880 * MINUTE_MS,
};
const HOUR_MS = 60 * MINUTE_MS;
const TINY = '0.000000000000000001';
const DEEP = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;

/** The texts that are put in place of a price, a quantity or a bid. */
const BAD_DECIMALS: Readonly<Record<string, string>> = {
  nan: '"NaN"',
  infinity: '"Infinity"',
  negative: '"-1"',
  zero: '"0"',
  empty: '""',
  '1e400': '"1e400"',
  hex: '"0x10"',
  '40-digits': `"${'1'.repeat(40)}"`,
  number: '1.5',
  null: 'null',
};

/** Every way to spoil, by its name. Order: trades, then quotes. */
export const SPOILS: ReadonlyMap<string, Spoil> = new Map(
  [...times(), ...decimals('trade', 'price', 'p'), ...decimals('trade', 'quantity', 'q'), ...frames(), ...quotes()].map(
    (spoil) => [spoil.name, spoil],
  ),
);

function times(): Spoil[] {
  const late = Object.entries(LATE_MS).map(([name, lateMs]): Spoil => {
    const truth: SpoilTruth = lateMs > KEPT_MS ? { kind: 'refused' } : { kind: 'changed', shiftUs: -lateMs * 1000 };
    return { name, channel: 'trade', truth, apply: withTime((ms) => ms - lateMs) };
  });
  // A time ahead of the clock may be the clock's fault, so whoever reads it may ask the history, which has the true one.
  const future = withTime((ms) => ms + HOUR_MS);
  return [
    ...late,
    { name: 'time-future', channel: 'trade', truth: { kind: 'unreadable' }, apply: future },
    refused(
      'time-1970',
      'trade',
      withTime(() => 1000),
    ),
    refused(
      'time-microseconds',
      'trade',
      withTime((ms) => ms * 1000),
    ),
  ];
}

function decimals(channel: Spoil['channel'], field: string, key: string): Spoil[] {
  return Object.entries(BAD_DECIMALS).map(([name, text]) =>
    refused(`${field}-${name}`, channel, (payload) => withValue(payload, key, text)),
  );
}

function frames(): Spoil[] {
  const unreadable = (name: string, apply: Spoil['apply']): Spoil => {
    return { name, channel: 'trade', truth: { kind: 'unreadable' }, apply };
  };
  return [
    unreadable('id-2^53+1', (payload) => withValue(payload, 't', '9007199254740993')),
    unreadable('id-negative', (payload) => withValue(payload, 't', '-1')),
    unreadable('id-text', (payload) => withValue(payload, 't', '"7"')),
    unreadable('cut', (payload) => payload.slice(0, payload.length / 2)),
    unreadable('array', () => '[]'),
    unreadable('null', () => 'null'),
    unreadable('proto', (payload) => `{"__proto__":${payload}}`),
    unreadable('deep', () => DEEP),
    unreadable('other-symbol', (payload) => withValue(payload, 's', '"NOBODYUSDT"')),
    {
      name: 'price-1e-18',
      channel: 'trade',
      truth: { kind: 'changed', price: TINY },
      apply: (payload) => withValue(payload, 'p', `"${TINY}"`),
    },
    {
      name: 'duplicate-keys',
      channel: 'trade',
      truth: { kind: 'changed' },
      apply: (payload) => payload.replace('"p":', '"p":"9","p":'),
    },
  ];
}

function quotes(): Spoil[] {
  const crossed = (payload: string): string => withValue(payload, 'b', '"99999999.00000000"');
  return [refused('quote-crossed', 'bookTicker', crossed), ...decimals('bookTicker', 'bid', 'b')];
}

function refused(name: string, channel: Spoil['channel'], apply: Spoil['apply']): Spoil {
  return { name, channel, truth: { kind: 'refused' }, apply };
}

function withTime(change: (ms: number) => number): Spoil['apply'] {
  return (payload) => payload.replace(/"T":(\d+)/, (_, digits: string) => `"T":${change(Number(digits))}`);
}

function withValue(payload: string, key: string, text: string): string {
  return payload.replace(new RegExp(`"${key}":("[^"]*"|[\\d.]+)`), `"${key}":${text}`);
}
