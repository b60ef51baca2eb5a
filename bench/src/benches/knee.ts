/**
 * The bench `knee`: raises the rate of 20 symbols step by step until trades are not stored as fast as they are sent.
 * It must say what each process used at the last step that was kept up, since that names what saturates.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { whole } from '../format.ts';
import { monotonicMs } from '../monotonic.ts';
import { cpuShares, type Pipeline, startPipeline } from '../pipeline.ts';
import type { Scenario } from '../scenario.ts';
import { equalSymbols } from '../symbols.ts';

const SYMBOLS = 20;
const FIRST_PER_SECOND = 20_000;
const STEP = 1.15;
const STEPS_MAX = 16;
const LAG_MS_MAX = 1_000;

type Step = { readonly perSecond: number; readonly lagMs: number; readonly cpu: string };

/** The bench `knee`. */
export const knee: Scenario = {
  name: 'knee',
  what: `${SYMBOLS} symbols, trades only, the rate raised by ${Math.round((STEP - 1) * 100)}% every few seconds until lag grows`,
  target: 'stated, with what saturates',
  perEngine: true,
  run: async ({ engine, form, closing }) => {
    const pipeline = await startPipeline({ engine, symbols: equalSymbols(SYMBOLS, FIRST_PER_SECOND / SYMBOLS) });
    closing(pipeline.close);
    const stepMs = form === 'quick' ? 500 : 4_000;
    pipeline.play();
    await delay(stepMs / 2);
    let held: Step | undefined;
    let last: Step | undefined;
    for (let i = 0; i < (form === 'quick' ? 2 : STEPS_MAX); i++) {
      const perSecond = FIRST_PER_SECOND * STEP ** i;
      pipeline.feed.send({ kind: 'scale', scale: STEP ** i });
      last = await runStep(pipeline, perSecond, stepMs);
      if (last.lagMs > LAG_MS_MAX) break;
      held = last;
    }
    pipeline.feed.send({ kind: 'stop' });
    await pipeline.feed.next('log');
    const bound = held === last ? 'not reached' : `at ${whole(last?.perSecond ?? 0)}/s lag grows`;
    return {
      result: `${whole(held?.perSecond ?? 0)} trades/s kept up, ${bound}`,
      passed: undefined,
      details: [
        `CPU of one core at the last step kept up: ${held?.cpu ?? 'none'}; at the end: ${last?.cpu ?? 'none'}.`,
      ],
      figures: { keptUpPerSecond: held?.perSecond ?? 0, lagsAtPerSecond: last?.perSecond ?? 0 },
    };
  },
};

async function runStep(pipeline: Pipeline, perSecond: number, stepMs: number): Promise<Step> {
  const [fromMs, before] = [monotonicMs(), pipeline.cpuMs()];
  await delay(stepMs);
  const cpu = cpuShares(before, pipeline.cpuMs(), monotonicMs() - fromMs);
  return { perSecond, lagMs: (await pipeline.progress()).lagMs, cpu };
}
