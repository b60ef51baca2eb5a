import type { Gap, LiveSymbol } from '@wickstream/shared/live-codec';
import { describe, expect, it } from 'vitest';
import { createHeldKnowledge } from '../src/live/held-knowledge.ts';
import { createOldBars } from '../src/live/old-bars.ts';
import { START_US } from './producer.ts';

function gapOf(fromId: number, fromTsUs: number, toTsUs: number): Gap {
  return { fromId, toId: fromId + 9, fromTsUs: START_US + fromTsUs, toTsUs: START_US + toTsUs, state: 'open' };
}

function symbolOf(gaps: Gap[] | null): LiveSymbol {
  return { venue: 'binance', symbol: 'A', newestTsUs: START_US, gaps, unobserved: gaps === null ? null : [] };
}

/** Publishes one commit: what the symbol's gaps are now, whether the commit changed them, and whether bars wait. */
function createPublishing() {
  const held = createHeldKnowledge();
  return (gaps: Gap[], changed: boolean, behind: boolean) => {
    const given = changed ? [symbolOf(gaps)] : [];
    const [released] = held.release(
      given,
      () => symbolOf(gaps),
      () => behind,
    );
    return released?.gaps?.map((gap) => gap.fromId);
  };
}

describe('that a gap closed', () => {
  it('is told only when the bars it changed are published', () => {
    const publish = createPublishing();
    expect(publish([gapOf(10, 0, 50)], true, false)).toEqual([10]);
    expect(publish([gapOf(10, 0, 20)], true, true)).toBeUndefined();
    expect(publish([], true, true)).toBeUndefined();
    expect(publish([], false, true)).toBeUndefined();
    expect(publish([], false, false)).toEqual([]);
    expect(publish([], false, false)).toBeUndefined();
  });

  it('does not keep back that another one opened', () => {
    const publish = createPublishing();
    publish([gapOf(10, 0, 50)], true, false);
    expect(publish([gapOf(90, 60, 70)], true, true)).toEqual([10, 90]);
    expect(publish([gapOf(90, 60, 70)], false, false)).toEqual([90]);
  });
});

describe('old bars', () => {
  it('count as unread until their reading has ended well', () => {
    const bars = createOldBars();
    const name = { venue: 'binance', symbol: 'A', source: 'trade' as const, bucketUs: START_US };
    bars.add(name);
    bars.add(name);
    const taken = bars.take(10);
    expect([taken.length, bars.size(), bars.hasUnread(name)]).toEqual([1, 0, true]);
    bars.done(taken, true);
    expect([bars.size(), bars.hasUnread(name)]).toEqual([1, true]);
    bars.done(bars.take(10), false);
    expect([bars.size(), bars.hasUnread(name)]).toEqual([0, false]);
  });
});
