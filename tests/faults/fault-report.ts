/**
 * Keeps what each fault test found, when WICK_FAULT_REPORT names a folder, so that docs/RELIABILITY.md can be made of it.
 * It must not judge: a test asserts for itself, and records after it has.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { expect } from 'vitest';

/** The figures of a verdict that are shown. */
export type FaultFigures = {
  readonly sent: number;
  readonly lost: number;
  readonly twice: number;
  readonly wrongCandles: number;
  readonly recoveryMs: number;
};

/** What a test found. Shape: `row` of the fault list, 1 to 35; `injected` times; figures are left out where nothing is counted. */
export type FaultRecord = {
  readonly row: number;
  readonly fault: string;
  readonly injected: number;
} & Partial<FaultFigures>;

/** A record as it is kept, with the test that made it. */
export type KeptRecord = FaultRecord & { readonly file: string; readonly test: string };

const root = resolve(import.meta.dirname, '../..');
const folder = process.env.WICK_FAULT_REPORT;

/** Keeps what the running test found; a later record of the same row, fault and test takes its place. */
export function recordFault(record: FaultRecord): void {
  if (!folder) return;
  const { currentTestName = '', testPath = '' } = expect.getState();
  const { row, fault, injected, sent, lost, twice, wrongCandles, recoveryMs } = record;
  const file = relative(root, testPath);
  const kept: KeptRecord = {
    ...{ row, fault, injected, file, test: currentTestName },
    ...(sent === undefined ? {} : { sent }),
    ...(lost === undefined ? {} : { lost }),
    ...(twice === undefined ? {} : { twice }),
    ...(wrongCandles === undefined ? {} : { wrongCandles }),
    ...(recoveryMs === undefined ? {} : { recoveryMs }),
  };
  const place = isAbsolute(folder) ? folder : join(root, folder);
  mkdirSync(place, { recursive: true });
  const name = createHash('sha256').update(`${row}\n${fault}\n${file}\n${currentTestName}`).digest('hex').slice(0, 16);
  writeFileSync(join(place, `${name}.json`), `${JSON.stringify(kept)}\n`);
}
