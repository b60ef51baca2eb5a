/**
 * Deterministic numbers from integers: a mixing hash and a small generator.
 * It must never touch a clock or `Math.random`, so that the tape is the same on every machine.
 */

/** Mixes integers into 32 evenly spread bits. */
export function hashOf(a: number, b: number, c = 0): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15) ^ (b | 0), 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 13) ^ ((b / 4294967296) | 0), 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 16) ^ c, 0x165667b1);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 14)) >>> 0;
}

/** The hash as a fraction, `0 ≤ x < 1`. */
export function fractionOf(a: number, b: number, c = 0): number {
  return hashOf(a, b, c) / 4294967296;
}

/** A generator of fractions, `0 ≤ x < 1`, fixed by its seed. */
export function createRandom(seed: number): () => number {
  let weyl = seed | 0;
  return () => {
    weyl = (weyl + 0x9e3779b9) | 0;
    let x = Math.imul(weyl ^ (weyl >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return ((x ^ (x >>> 15)) >>> 0) / 4294967296;
  };
}

/** A seed from a text. */
export function seedOfText(text: string): number {
  let seed = 7;
  for (let i = 0; i < text.length; i++) seed = hashOf(seed, text.charCodeAt(i), i);
  return seed;
}
