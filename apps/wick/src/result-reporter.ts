/**
 * A reporter for vitest that writes what became of each test, with the reasons of those not run, to a file.
 * It must not print anything.
 */
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { checkout } from '@wickstream/servers/server-folder';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import type { TestOutcome } from './test-summary.ts';

/** Creates the reporter. Shape: it writes an array of TestOutcome to `file` at the end of the run. */
export function createResultReporter(file: string): Reporter {
  return {
    onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
      const outcomes = modules.flatMap((module) => [...failuresOf(module), ...testsOf(module)]);
      writeFileSync(file, JSON.stringify([...outcomes, ...errors.map(strayError)]));
    },
  };
}

function strayError(error: unknown): TestOutcome {
  const reason = error instanceof Error ? error.message : JSON.stringify(error);
  return { name: 'an error outside of every test', state: 'failed', reason };
}

function testsOf(module: TestModule): TestOutcome[] {
  return [...module.children.allTests()].map((test) => outcomeOf(test, module));
}

function outcomeOf(test: TestCase, module: TestModule): TestOutcome {
  const result = test.result();
  const state = result.state === 'passed' || result.state === 'failed' ? result.state : 'not run';
  const reason = result.state === 'skipped' ? (result.note ?? '') : '';
  return { name: `${fileOf(module)} > ${test.fullName}`, state, reason };
}

// A file or a describe block that fails as a whole has no failed test inside, yet it did fail.
function failuresOf(module: TestModule): TestOutcome[] {
  const suites = [module, ...module.children.allSuites()].filter((suite) => suite.errors().length > 0);
  return suites.map((suite) => ({
    name: suite === module || !('fullName' in suite) ? fileOf(module) : `${fileOf(module)} > ${suite.fullName}`,
    state: 'failed',
    reason: String(suite.errors()[0]?.message ?? ''),
  }));
}

function fileOf(module: TestModule): string {
  return relative(checkout, module.moduleId);
}
