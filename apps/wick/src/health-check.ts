/**
 * One line of the doctor: what was looked at, how it is, and the mend if it is not well.
 * It must be pure, and a line that is not ok must name a mend.
 */

/** A line. Shape: `mend` is one sentence, empty when there is nothing to mend. */
export type HealthCheck = {
  readonly name: string;
  readonly state: 'ok' | 'warn' | 'fail';
  readonly text: string;
  readonly mend: string;
};

/** A line that is well. */
export function ok(name: string, text: string): HealthCheck {
  return { name, state: 'ok', text, mend: '' };
}

/** A line that should be looked at. */
export function warn(name: string, text: string, mend: string): HealthCheck {
  return { name, state: 'warn', text, mend };
}

/** A line that is broken. */
export function fail(name: string, text: string, mend: string): HealthCheck {
  return { name, state: 'fail', text, mend };
}

/** What a person reads: a line a check, and the verdict. */
export function formatHealth(checks: readonly HealthCheck[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.map(
    ({ state, name, text, mend }) => `${state.padEnd(4)}  ${name.padEnd(width)}  ${text}${mend ? `; ${mend}` : ''}`,
  );
  const count = (state: HealthCheck['state']) => checks.filter((check) => check.state === state).length;
  return [
    ...lines,
    `${isHealthy(checks) ? 'healthy' : 'NOT HEALTHY'}: ${count('ok')} ok, ${count('warn')} warn, ${count('fail')} fail`,
  ].join('\n');
}

/** Whether nothing is broken. */
export function isHealthy(checks: readonly HealthCheck[]): boolean {
  return checks.every(({ state }) => state !== 'fail');
}

/** The reason of an error, as part of a sentence. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A refused connection to several addresses has an empty message and the reasons inside.
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause;
  const text =
    error.message === 'fetch failed' || error.message === ''
      ? inner instanceof Error
        ? inner.message
        : ''
      : error.message;
  return (text || error.name).replace(/\.$/, '');
}
