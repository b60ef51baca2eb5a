/**
 * Places where a test makes the process die, to prove that a crash there loses nothing.
 * It must do nothing at all unless the environment arms it.
 */

/** The places that can be armed: between the write of an entry and the use of its reply, and just before the write. */
export const FAIL_POINTS = ['before_xadd', 'after_xadd_before_reply'] as const;

/** One of FAIL_POINTS. */
export type FailPointName = (typeof FAIL_POINTS)[number];

/** Passes a place; the armed one ends the process at once. */
export type FailPoint = (name: FailPointName) => void;

/** Creates the fail points. Shape: `armed` is empty, a name, or `name@7` for its seventh pass. */
export function createFailPoint(armed: string, die: () => void = killSelf): FailPoint {
  const [place = '', pass = '1'] = armed.split('@');
  let left = Number(pass);
  if (place === '') return () => undefined;
  return (name) => {
    if (name !== place) return;
    left--;
    if (left === 0) die();
  };
}

function killSelf(): void {
  process.kill(process.pid, 'SIGKILL');
}
