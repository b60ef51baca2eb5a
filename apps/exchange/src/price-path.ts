/**
 * The price of a symbol at any moment: smooth noise of several periods around its base price.
 * It must be continuous and need no earlier price, so that any moment can be asked alone.
 */
import { fractionOf } from './random.ts';
import type { SymbolSpec } from './symbol-list.ts';

/** The best bid at a moment, and the distance to the best ask. Units: price ticks. */
export type PricePath = { bidTicks(timeUs: number): number; spreadTicks(timeUs: number): number };

const OCTAVES: readonly { periodUs: number; amplitude: number }[] = [
  { periodUs: 21_600_000_000, amplitude: 0.02 },
  { periodUs: 3_600_000_000, amplitude: 0.008 },
  { periodUs: 600_000_000, amplitude: 0.003 },
  { periodUs: 90_000_000, amplitude: 0.0012 },
  { periodUs: 15_000_000, amplitude: 0.0005 },
  { periodUs: 3_000_000, amplitude: 0.0002 },
  { periodUs: 500_000, amplitude: 0.00008 },
];
const SPREAD_CELL_US = 200_000;

/** The path of `spec`. */
export function createPricePath(spec: SymbolSpec): PricePath {
  const waves = OCTAVES.map((octave, salt) => createWave(spec.seed, salt, octave.periodUs, octave.amplitude));
  return {
    bidTicks(timeUs) {
      let deviation = 0;
      for (const wave of waves) deviation += wave(timeUs);
      return Math.max(1, Math.floor(spec.basePriceTicks * (1 + deviation)));
    },
    spreadTicks(timeUs) {
      const draw = fractionOf(spec.seed, Math.floor(timeUs / SPREAD_CELL_US), 31);
      return draw < 0.85 ? 1 : 2 + Math.floor((draw - 0.85) * 27);
    },
  };
}

function createWave(seed: number, salt: number, periodUs: number, amplitude: number): (timeUs: number) => number {
  let cell = -1;
  let begin = 0;
  let rise = 0;
  return (timeUs) => {
    const index = Math.floor(timeUs / periodUs);
    if (index !== cell) {
      cell = index;
      begin = (fractionOf(seed, index, salt) * 2 - 1) * amplitude;
      rise = (fractionOf(seed, index + 1, salt) * 2 - 1) * amplitude - begin;
    }
    const x = (timeUs - index * periodUs) / periodUs;
    return begin + rise * x * x * (3 - 2 * x);
  };
}
