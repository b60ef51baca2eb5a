/**
 * Places where a test makes the process die, to prove that a crash there loses nothing.
 * It must do nothing at all unless the environment arms it.
 */

/** The places that can be armed, in the order in which a batch passes them. */
export const FAIL_POINTS = ['before_commit', 'after_commit_before_ack', 'before_trim'] as const;

/** One of FAIL_POINTS. */
export type FailPointName = (typeof FAIL_POINTS)[number];

/** Passes a place; the armed one ends the process at once. */
export type FailPoint = (name: FailPointName) => void;

/** Creates the fail points. Shape: `armed` is empty, a name, or `name@7` for its seventh pass. */
export function createFailPoint(armed: string): FailPoint {
  const [place = '', pass = '1'] = armed.split('@');
  let left = Number(pass);
  return (name) => {
    if (place === '' || name !== place) return;
    left--;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  };
}
