/**
 * Turns: how many run at a time, in which order, and that a failure gives its turn back.
 */
import { expect, it } from 'vitest';
import { createTurns } from '../src/turns.ts';

it('runs so many at a time, in the order asked for, and goes on after a failure', async () => {
  const turn = createTurns(2);
  const begun: number[] = [];
  const ends = Array.from({ length: 5 }, () => Promise.withResolvers<number>());
  const all = ends.map((end, i) =>
    turn(() => {
      begun.push(i);
      return end.promise;
    }),
  );
  const outcomes = Promise.allSettled(all);
  expect(begun).toEqual([0, 1]);
  ends[1]?.reject(new Error('failed'));
  await expect(all[1]).rejects.toThrow('failed');
  expect(begun).toEqual([0, 1, 2]);
  ends[0]?.resolve(10);
  expect(await all[0]).toBe(10);
  expect(begun).toEqual([0, 1, 2, 3]);
  for (const [i, end] of ends.entries()) end.resolve(i);
  expect((await outcomes).map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
    'fulfilled',
  ]);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  expect(await turn(async () => 'free again')).toBe('free again');
});
