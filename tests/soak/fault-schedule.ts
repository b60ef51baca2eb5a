/**
 * Injects faults at random for a while: one every few seconds, some at the same time, with a pause to recover each minute.
 * It must choose by its seed alone; when a fault takes effect depends on the machine.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { SoakFault } from './soak-faults.ts';

/** What a schedule is given. `recovered` resolves when ticks are stored live again, with how long that took. */
export type ScheduleOptions = {
  readonly faults: readonly SoakFault[];
  readonly random: () => number;
  readonly forMs: number;
  readonly recovered: () => Promise<number>;
  readonly log: (line: string) => void;
};

/** What was injected. Shape: `byName` counts; `troubles` are faults that could not be carried out. Units: ms. */
export type ScheduleReport = {
  readonly injected: number;
  readonly byName: ReadonlyMap<string, number>;
  readonly recoveriesMs: readonly number[];
  readonly troubles: readonly string[];
};

/** How long after a fault began the next one does. Units: ms. */
export const SPACING_MS = [2_000, 7_000] as const;

/** How often there is a pause, and how long it is at least. Units: ms. */
export const PAUSE_EVERY_MS = 60_000;
export const PAUSE_MS = 10_000;

/** Most faults at the same time. */
export const TOGETHER_MAX = 3;

/** Injects faults until the time is over, then waits for the last ones to end. */
export async function runSchedule(options: ScheduleOptions): Promise<ScheduleReport> {
  const { faults, random, forMs, recovered, log } = options;
  const endMs = performance.now() + forMs;
  const byName = new Map<string, number>();
  const recoveriesMs: number[] = [];
  const troubles: string[] = [];
  const running = new Map<SoakFault, Promise<void>>();
  let injected = 0;

  const inject = (fault: SoakFault): void => {
    injected++;
    byName.set(fault.name, (byName.get(fault.name) ?? 0) + 1);
    log(`fault ${injected}: ${fault.name}`);
    const run = fault
      .run()
      .catch((error: Error) => void troubles.push(`${fault.name}: ${error.message.split('\n')[0]}`))
      .finally(() => running.delete(fault));
    running.set(fault, run);
  };

  const choose = (): SoakFault | undefined => {
    const taken = new Set([...running.keys()].flatMap(({ needs }) => needs));
    const free = faults.filter(({ needs }) => !needs.some((one) => taken.has(one)));
    let dice = random() * free.reduce((sum, { weight }) => sum + weight, 0);
    return free.find(({ weight }) => {
      dice -= weight;
      return dice < 0;
    });
  };

  const pause = async (): Promise<void> => {
    await Promise.all(running.values());
    const tookMs = await recovered();
    recoveriesMs.push(tookMs);
    log(`recovered in ${(tookMs / 1000).toFixed(1)} s`);
    await delay(Math.min(PAUSE_MS, Math.max(0, endMs - performance.now())));
  };

  for (let pausedMs = performance.now(); performance.now() < endMs; ) {
    const [low, high] = SPACING_MS;
    await delay(Math.min(low + random() * (high - low), Math.max(0, endMs - performance.now())));
    if (performance.now() >= endMs) break;
    const fault = running.size < TOGETHER_MAX ? choose() : undefined;
    if (fault !== undefined) inject(fault);
    if (performance.now() - pausedMs < PAUSE_EVERY_MS) continue;
    await pause();
    pausedMs = performance.now();
  }
  await Promise.all(running.values());
  return { injected, byName, recoveriesMs, troubles };
}
