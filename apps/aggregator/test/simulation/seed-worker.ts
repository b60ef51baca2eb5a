/**
 * A worker thread that runs its share of a range of seeds and posts the result.
 * It must only be started by the seed run, which gives it the range.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { runRange, type SeedRange } from './seed-run.ts';

const { range, stride } = workerData as { range: SeedRange; stride: number };
parentPort?.postMessage(runRange(range, stride));
