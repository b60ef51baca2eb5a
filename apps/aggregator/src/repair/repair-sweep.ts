/**
 * One sweep: what is open or newly wanted is planned within the weight that is left, and carried out.
 * It must be harmless to run twice or to cut off: what it sends goes through the ledger, and a gap ends when the ledger says so.
 */
import type { Logger } from '@wickstream/shared/log';
import { HistoryError, TRADES_WEIGHT } from '../venue/venue-history.ts';
import type { BackfillReader } from './backfill-reader.ts';
import type { RepairMarks } from './repair-marks.ts';
import { planRepair, type RepairGap, type RepairRequest } from './repair-plan.ts';
import type { RepairReads } from './repair-reads.ts';
import { carryOut, type RecentTrades, type RequestOutcome, type RequestTools } from './repair-requests.ts';

/** A sweep begins no request after this; the next sweep goes on. Units: ms. */
export const SWEEP_MAX_MS = 10_000;

/** Requests that are under way at once. */
export const AT_ONCE_MAX = 3;

/** First and longest wait after an answer that did not come. Units: ms; half to all of it, at random. */
export const FAILURE_PAUSE_MS = { first: 1_000, max: 60_000 } as const;

/** What a sweep is given. Shape: `backfill` is undefined when no hours are wanted. */
export type SweepOptions = {
  readonly tools: Omit<RequestTools, 'singles' | 'reads'>;
  readonly reads: RepairReads;
  readonly marks: RepairMarks;
  readonly backfill: { readonly reader: BackfillReader; readonly hours: number } | undefined;
  readonly log: Logger;
};

/** A sweep that can be run again and again. */
export type RepairSweep = { run(): Promise<void> };

/** Creates the sweep of one process. Errors: `run` rejects when Redis or the database cannot be used. */
export function createRepairSweep({ tools, reads, marks, backfill, log }: SweepOptions): RepairSweep {
  const { budget, memory, writer } = tools;
  let singles = true;
  let failures = 0;

  const want = async (busy: ReadonlySet<number>): Promise<RepairGap[]> => {
    const wanted: RepairGap[] = [];
    if (backfill === undefined) return wanted;
    for (const newcomer of await reads.newcomers(backfill.hours)) {
      if (busy.has(newcomer.shard) || budget.available(Date.now()) < TRADES_WEIGHT) continue;
      const control = await backfill.reader.wantOf(newcomer, Date.now());
      if (control === undefined) continue;
      await writer.send(newcomer, 'control', [{ kind: 'control', control }]);
      const { symbol, fromId, toId, fromTsUs, toTsUs } = control;
      log.info({ symbol, fromId, toId, hours: backfill.hours }, 'the first hours are wanted');
      const { shard, clockUs, firstId } = newcomer;
      // What is sent after the want comes after it in the stream too, so the new gap need not be waited for.
      if (fromId < firstId) {
        wanted.push({ symbol, shard, clockUs, fromId, toId, fromTsUs, toTsUs, asTrades: false });
      }
    }
    return wanted;
  };

  const dueGaps = async (busy: ReadonlySet<number>): Promise<RepairGap[]> => {
    const open = await reads.openGaps();
    const due = open.filter((gap) => !busy.has(gap.shard) && memory.isDue(gap, Date.now()));
    return due.map((gap) => ({ ...gap, asTrades: memory.fruitlessLooks(gap) > 0 }));
  };

  // Returns whether the other requests may go on.
  const fail = async (error: unknown, request: RepairRequest | undefined): Promise<boolean> => {
    if (!(error instanceof HistoryError)) throw error;
    const { failure, message } = error;
    if (failure === 'not_served') {
      if (singles) log.warn({ reason: message }, 'single trades by id are not served; aggregates are read instead');
      singles = false;
      return false;
    }
    for (const gap of request?.gaps ?? []) if (failure === 'refused') memory.fruitless(gap, Date.now());
    log.warn({ reason: message, retryAfterMs: error.retryAfterMs, symbol: request?.symbol }, 'history was not read');
    if (failure === 'refused') return true;
    const pauseMs = failure === 'limited' ? error.retryAfterMs : failurePauseMs(++failures);
    budget.pauseUntil(Date.now() + pauseMs);
    if (failure === 'limited') await marks.pause(pauseMs);
    return false;
  };

  const carryOutAll = async (requests: RepairRequest[]): Promise<RequestOutcome> => {
    const total = { repaired: 0, confirmed: 0 };
    const recent: RecentTrades = new Map();
    const endMs = Date.now() + SWEEP_MAX_MS;
    let goesOn = true;
    const shouldStop = () => tools.shouldStop() || !goesOn;
    const work = async (): Promise<void> => {
      while (!shouldStop() && Date.now() < endMs) {
        const request = requests.shift();
        if (request === undefined) return;
        try {
          const outcome = await carryOut({ ...tools, reads, singles, shouldStop }, request, recent);
          total.repaired += outcome.repaired;
          total.confirmed += outcome.confirmed;
          failures = 0;
        } catch (error) {
          const mayGoOn = await fail(error, request).catch((fatal: unknown) => {
            goesOn = false;
            throw fatal;
          });
          goesOn = mayGoOn && goesOn;
        }
      }
    };
    // All of them end before the sweep does, so that the next one does not run beside it.
    const ends = await Promise.allSettled(Array.from({ length: AT_ONCE_MAX }, work));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    return total;
  };

  const sweep = async (): Promise<void> => {
    const busy = await marks.busyShards(await reads.offsets(), Date.now());
    const gaps = [...(await want(busy)), ...(await dueGaps(busy))];
    const requests = planRepair(gaps, budget.available(Date.now()), singles);
    if (requests.length === 0) return;
    const planned = requests.length;
    const { repaired, confirmed } = await carryOutAll(requests);
    log.info({ gaps: gaps.length, requests: planned, left: requests.length, repaired, confirmed }, 'gaps were swept');
  };

  return {
    run: async () => {
      const pausedMs = await marks.pausedMs();
      if (pausedMs > 0) budget.pauseUntil(Date.now() + pausedMs);
      if (tools.shouldStop() || budget.available(Date.now()) < TRADES_WEIGHT) return;
      try {
        await sweep();
      } catch (error) {
        await fail(error, undefined);
      }
    },
  };
}

function failurePauseMs(failures: number): number {
  const longestMs = Math.min(FAILURE_PAUSE_MS.max, FAILURE_PAUSE_MS.first * 2 ** Math.min(16, failures - 1));
  return longestMs * (0.5 + Math.random() / 2);
}
