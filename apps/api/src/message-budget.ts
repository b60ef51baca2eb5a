/**
 * How many messages a client may send: a bucket of tokens that fills with time.
 * It must be handed its clock.
 */

/** Messages that a client may send at once, and per second after that; more closes with 1008. */
export const MESSAGES = { burst: 200, perSecond: 50 } as const;

/** Creates the budget of one client. Units: `nowMs` monotonic. */
export function createMessageBudget(nowMs: () => number) {
  let tokens: number = MESSAGES.burst;
  let tokensAtMs = nowMs();
  return {
    /** Counts a message; says whether it is one too many. */
    isSpent(): boolean {
      const now = nowMs();
      tokens = Math.min(MESSAGES.burst, tokens + ((now - tokensAtMs) / 1000) * MESSAGES.perSecond);
      tokensAtMs = now;
      tokens -= 1;
      return tokens < 0;
    },
  };
}
