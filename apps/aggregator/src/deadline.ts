/**
 * A deadline for anything that is awaited from Redis or the database.
 * It must not cancel what it waits for; the caller decides what a missed deadline means.
 */

/** An await that took too long; whether the thing happened is unknown. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/** Waits for `promise` at most `deadlineMs`. Errors: DeadlineError, or the promise's own. */
export async function withDeadline<T>(promise: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(`${what} took longer than ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    // Nobody awaits a promise that lost the race; its error is of no use any more.
    promise.catch(() => undefined);
  }
}

/** Waits for a promise that never rejects, but no longer than `waitMs`; a deadline that nobody misses. */
export async function waitAtMost(promise: Promise<unknown>, waitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, waitMs);
  });
  await Promise.race([promise, late]);
  clearTimeout(timer);
}
