/**
 * The end of a process on SIGTERM and SIGINT: once, cleanly, and within a time.
 * It must not know what is ended.
 */
import type { Logger } from './log.ts';

/** Longest time that an end may take before the process is ended hard; supervisors wait for ten seconds. Units: ms. */
export const END_MAX_MS = 9_000;

/** Ends the process with code 0 after `close` at the first signal, with 1 when that takes longer than END_MAX_MS. Errors: what `close` rejects with ends the process. */
export function endOnSignals(log: Logger, close: () => Promise<unknown>): void {
  let ending = false;
  const end = async (signal: string): Promise<void> => {
    if (ending) return;
    ending = true;
    log.info({ signal }, 'ending');
    setTimeout(() => process.exit(1), END_MAX_MS).unref();
    await close();
    log.info('ended');
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void end(signal));
}
