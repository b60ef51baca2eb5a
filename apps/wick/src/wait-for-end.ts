/**
 * Listens for the wish to end: Ctrl-C, SIGTERM, a closed terminal, or the death of the process that started us.
 * It must not end anything itself.
 */

/** The wish to end. Shape: `asked` resolves at the first wish, `again` at one that comes a second or more after it. */
export type Ending = { asked: Promise<void>; again: Promise<void>; close(): void };

const PARENT_CHECK_MS = 1_000;
// One Ctrl-C can arrive twice: from the terminal and passed on by npm.
const SAME_WISH_MS = 1_000;

/** Starts listening. */
export function listenForEnd(): Ending {
  const asked = Promise.withResolvers<void>();
  const again = Promise.withResolvers<void>();
  let askedAtMs: number | undefined;
  const ask = () => {
    if (askedAtMs !== undefined && Date.now() - askedAtMs > SAME_WISH_MS) again.resolve();
    askedAtMs ??= Date.now();
    asked.resolve();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, ask);
  const parent = process.ppid;
  const watch = setInterval(() => process.ppid !== parent && askedAtMs === undefined && ask(), PARENT_CHECK_MS);
  const close = () => {
    clearInterval(watch);
    for (const signal of signals) process.off(signal, ask);
  };
  return { asked: asked.promise, again: again.promise, close };
}
