/**
 * Lets a few of many do something at a time; the others wait for their turn.
 * It must give each turn back, whatever comes of it.
 */

/** Runs `act` when it is its turn, and gives what it gives. Order: as asked for. Errors: those of `act`. */
export type Turns = <T>(act: () => Promise<T>) => Promise<T>;

/** Creates turns of which at most `most` run at a time. */
export function createTurns(most: number): Turns {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (act) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await act();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
