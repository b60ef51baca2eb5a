/**
 * Counts what became of the tests and says it in lines.
 * It must be pure.
 */

/** What became of one test. Shape: `reason` says why it did not run, or is empty. */
export type TestOutcome = { name: string; state: 'passed' | 'failed' | 'not run'; reason: string };

/** The counts of a run and the lines that explain those not run. */
export type TestSummary = { passed: number; failed: number; notRun: number; lines: string[] };

const NAMES_MAX = 3;

/** Sums up a run. Shape: `missing` are engines that this machine lacks, each with a present one that runs the same suites. */
export function summarise(
  outcomes: TestOutcome[],
  missing: { name: string; twin: string; why: string }[],
): TestSummary {
  const count = (state: TestOutcome['state']) => outcomes.filter((outcome) => outcome.state === state).length;
  const lines = groupByReason(outcomes.filter((outcome) => outcome.state === 'not run'));
  let absent = 0;
  for (const engine of missing) {
    const twins = outcomes.filter((outcome) => outcome.name.includes(engine.twin));
    absent += twins.length;
    const where = twins.length > 0 ? ', in these suites' : '';
    lines.push(`not run: ${countTests(twins.length)} on ${engine.name}${where}: ${engine.why}`);
    lines.push(...[...new Set(twins.map((twin) => `  ${twin.name.split(' > ')[0]}`))]);
  }
  return { passed: count('passed'), failed: count('failed'), notRun: count('not run') + absent, lines };
}

/** The last line of a run. */
export function formatResult(summary: TestSummary): string {
  return `${summary.passed} passed, ${summary.failed} failed, ${summary.notRun} not run`;
}

/** The exit code of a run: a run without a single passed test is no success. */
export function exitCodeOf(summary: TestSummary): number {
  return summary.failed > 0 || summary.passed === 0 ? 1 : 0;
}

function groupByReason(outcomes: TestOutcome[]): string[] {
  const groups = Map.groupBy(outcomes, (outcome) => outcome.reason || 'skipped without a reason');
  return [...groups].flatMap(([reason, members]) => {
    const names = members.slice(0, NAMES_MAX).map((member) => `  ${member.name}`);
    const more = members.length > NAMES_MAX ? [`  and ${members.length - NAMES_MAX} more`] : [];
    return [`not run: ${countTests(members.length)}: ${reason}`, ...names, ...more];
  });
}

function countTests(count: number): string {
  return `${count} ${count === 1 ? 'test' : 'tests'}`;
}
