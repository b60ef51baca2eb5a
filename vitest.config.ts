/**
 * How the tests run: which files, in which processes, within which times.
 * It must not choose servers; the fixture does.
 */
import { defineConfig } from 'vitest/config';
import { createResultReporter } from './apps/wick/src/result-reporter.ts';

// Set by npm test, which counts the outcomes itself.
const results = process.env.WICK_RESULTS;

export default defineConfig({
  test: {
    include: ['{apps,packages}/*/test/**/*.test.ts', 'sql/test/**/*.test.ts', 'tests/**/*.test.ts'],
    // Processes, not threads: a test may kill, and a fixture's servers end with the process that started them.
    pool: 'forks',
    maxWorkers: 3,
    reporters: results ? ['default', createResultReporter(results)] : ['default'],
    // Deadlines, not measurements: a machine that is busy with other work takes twice as long.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
