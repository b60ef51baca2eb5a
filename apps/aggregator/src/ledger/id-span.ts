/**
 * What every ledger says of the ids of one symbol and channel: how far they reach, in which times, and how many came.
 * It must hold nothing that only one channel knows.
 */

/** The ids of an epoch. Shape: `lastId` is the highest id known to exist, stored or missing; `newestTsUs` is of stored ticks. Units: µs. */
export type IdSpan = {
  epoch: number;
  firstId: number;
  lastId: number;
  firstTsUs: number;
  lastTsUs: number;
  newestTsUs: number;
  stored: number;
  duplicate: number;
};
