/**
 * Checks how a test run is counted, since everything else relies on that last line.
 * It must not run vitest.
 */
import { expect, it } from 'vitest';
import { exitCodeOf, formatResult, summarise, type TestOutcome } from '../src/test-summary.ts';

const outcome = (name: string, state: TestOutcome['state'], reason = ''): TestOutcome => ({ name, state, reason });

it('counts each state and groups what did not run by its reason', () => {
  const summary = summarise(
    [
      outcome('a > 1', 'passed'),
      outcome('a > 2', 'failed'),
      outcome('b > 1', 'not run', 'no data'),
      outcome('b > 2', 'not run', 'no data'),
    ],
    [],
  );
  expect(formatResult(summary)).toBe('1 passed, 1 failed, 2 not run');
  expect(summary.lines).toEqual(['not run: 2 tests: no data', '  b > 1', '  b > 2']);
  expect(exitCodeOf(summary)).toBe(1);
});

it('counts a missing engine by what its twin ran, and names the suites', () => {
  const ran = [outcome('sql.test.ts > on postgresql 18 > stores', 'passed'), outcome('pure.test.ts > adds', 'passed')];
  const summary = summarise(ran, [{ name: 'timescaledb', twin: 'postgresql', why: 'not installed' }]);
  expect(formatResult(summary)).toBe('2 passed, 0 failed, 1 not run');
  expect(summary.lines).toEqual(['not run: 1 test on timescaledb, in these suites: not installed', '  sql.test.ts']);
  expect(exitCodeOf(summary)).toBe(0);
});

it('names a missing engine also when no suite that ran would have used it', () => {
  const engine = { name: 'timescaledb', twin: 'postgresql', why: 'not installed' } as const;
  const summary = summarise([outcome('pure.test.ts > adds', 'passed')], [engine]);
  expect(summary.lines).toEqual(['not run: 0 tests on timescaledb: not installed']);
});

it('a run in which nothing ran is no success', () => {
  expect(exitCodeOf(summarise([], []))).toBe(1);
});
