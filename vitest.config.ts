/**
 * How the tests run: which files, in which processes, within which times.
 * It must not choose servers; the fixture does.
 */
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { createResultReporter } from './apps/wick/src/result-reporter.ts';

// Set by npm test, which counts the outcomes itself.
const results = process.env.WICK_RESULTS;

const LONG_FIRST = [/\/tests\/bench\//, /\/tests\//, /./];

/** The suites that run whole processes begin first, so that none of them is left alone at the end. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => LONG_FIRST.findIndex((path) => path.test(moduleId));
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    include: ['{apps,packages}/*/test/**/*.test.ts', 'sql/test/**/*.test.ts', 'tests/**/*.test.ts'],
    // Processes, not threads: a test may kill, and a fixture's servers end with the process that started them.
    pool: 'forks',
    maxWorkers: 3,
    sequence: { sequencer: LongFirst },
    reporters: results ? ['default', createResultReporter(results)] : ['default'],
    // Deadlines, not measurements: a machine that is busy with other work takes twice as long.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
