/**
 * Says which suites ran on the first engine only, so that nobody takes the short form for the long one.
 * It must test nothing itself.
 */
import { engines, enginesOfLongSuite } from '@wickstream/servers/fixture';
import { expect, it } from 'vitest';

const SUITES = [
  'kill.test.ts',
  'command-line.test.ts',
  'import.test.ts',
  'shard-replay.test.ts',
  'quarantine-retry.test.ts',
  'faults/database.test.ts',
];

it.for(SUITES)('%s on every engine', async (_, ctx) => {
  const [all, chosen] = await Promise.all([engines(), enginesOfLongSuite()]);
  if (chosen.length < all.length) ctx.skip('on the first engine only; WICK_LONG=1 npm test runs it on each');
  expect(chosen).toEqual(all);
});
