/**
 * Decides which market is recorded: the real one if it can be reached, else the simulated one.
 * It must not start anything, and waits three seconds at most.
 */

/** The feed in use, with a reason when it was chosen for us. */
export type FeedChoice = { feed: 'binance' | 'simulator' | 'replay'; reason?: string };

const ASK_TIMEOUT_MS = 3_000;

/** Resolves `auto` by asking the venue. Limits: 3 s. Errors: never rejects; an unreachable venue means the simulator. */
export async function chooseFeed(wanted: 'auto' | FeedChoice['feed'], restUrl: string): Promise<FeedChoice> {
  if (wanted !== 'auto') return { feed: wanted };
  const refusal = await askVenue(restUrl);
  return refusal === undefined ? { feed: 'binance' } : { feed: 'simulator', reason: refusal };
}

/** Asks the venue's REST for a sign of life. Shape: undefined when it serves us, else the reason in words. */
export async function askVenue(restUrl: string): Promise<string | undefined> {
  try {
    const answer = await fetch(new URL('/api/v3/ping', restUrl), { signal: AbortSignal.timeout(ASK_TIMEOUT_MS) });
    await answer.body?.cancel();
    if (answer.ok) return undefined;
    if (answer.status === 451) return 'Binance does not serve this country (HTTP 451)';
    return `Binance answered with HTTP ${answer.status}`;
  } catch (error) {
    const timedOut = error instanceof Error && error.name === 'TimeoutError';
    return timedOut ? 'Binance did not answer within 3 s' : 'Binance cannot be reached from here';
  }
}
