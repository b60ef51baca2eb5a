import { decodeEntry } from '@wickstream/shared/entry-codec';
import { expect, it } from 'vitest';
import { createBatch } from '../src/step/batch.ts';
import { sealBatch } from '../src/step/sealed-batch.ts';
import { createShardState } from '../src/step/shard-state.ts';
import { step } from '../src/step/step.ts';
import { createProducer, createTape } from './producer.ts';

const TICKS = 60_000;
const ENTRY_TICKS = 50;
const BATCH_ENTRIES = 20;

// A bound far above what it takes, so that it fails for a mistake in complexity and not for a busy machine.
const MICROSECONDS_MAX = 40;

it('steps a tick, decoding and sealing included, in a few microseconds', () => {
  const tape = createTape(7, ['AAA', 'BBB', 'CCC'], TICKS, 1_000);
  const producer = createProducer('p');
  const entries = Array.from({ length: TICKS / ENTRY_TICKS }, (_, i) => {
    const items = tape.slice(i * ENTRY_TICKS, (i + 1) * ENTRY_TICKS);
    return producer.entry(items, items.at(-1)?.receivedAtUs ?? 0);
  });
  const state = createShardState(0, 1_000_000);
  let stored = 0;
  const beganMs = performance.now();
  for (let i = 0; i < entries.length; i += BATCH_ENTRIES) {
    const batch = createBatch(i + 1);
    for (const { h, d } of entries.slice(i, i + BATCH_ENTRIES)) step(state, batch, decodeEntry(h, d));
    const sealed = sealBatch(state, batch, { offset: '1-0', anchor: '', rewind: false });
    stored += sealed.trades.length + sealed.quotes.length;
  }
  const microseconds = ((performance.now() - beganMs) * 1000) / TICKS;
  console.info(`${microseconds.toFixed(2)} µs a tick through decode, step and seal`);
  expect(stored).toBe(TICKS);
  expect(microseconds).toBeLessThan(MICROSECONDS_MAX);
});
