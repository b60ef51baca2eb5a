import { describe, expect, it } from 'vitest';
import {
  createTradeLedger,
  enterHead,
  enterRefused,
  enterTrade,
  enterWanted,
  GAP_IDS_MAX,
  OPEN_GAPS_MAX,
  opensEpoch,
  settleGaps,
  type TradeLedger,
} from '../src/ledger/ledger.ts';
import { createRandom } from './producer.ts';

const AT_US = 5_000_000;

function gapsOf(ledger: TradeLedger): string[] {
  return ledger.gaps.list.map((gap) => `${gap.fromId}-${gap.toId} ${gap.state}`);
}

function enter(ledger: TradeLedger, id: number, lastId = id, origin: 'live' | 'repair' | 'import' = 'live') {
  return enterTrade(ledger, id, lastId, id * 1000, origin, AT_US);
}

function ledgerAt(id: number): TradeLedger {
  return createTradeLedger(0, id, id, id * 1000, id * 1000);
}

describe('a trade', () => {
  it('above the last opens a gap, which the missing ids shrink, split and close', () => {
    const ledger = ledgerAt(10);
    expect(enter(ledger, 20)).toBe('new');
    expect(gapsOf(ledger)).toEqual(['11-19 open']);
    expect(ledger.gaps.list[0]).toMatchObject({ fromTsUs: 10_000, toTsUs: 20_000 });
    expect(enter(ledger, 15)).toBe('new');
    expect(ledger.gaps.list).toMatchObject([
      { fromId: 11, toId: 14, fromTsUs: 10_000, toTsUs: 15_000 },
      { fromId: 16, toId: 19, fromTsUs: 15_000, toTsUs: 20_000 },
    ]);
    for (const id of [11, 12, 13, 14, 16, 17, 18, 19]) expect(enter(ledger, id)).toBe('new');
    expect(gapsOf(ledger)).toEqual([]);
    expect(enter(ledger, 15)).toBe('duplicate');
  });

  it('below the first moves the first down: a live one leaves an open gap, an import one that is not wanted', () => {
    const ledger = ledgerAt(100);
    expect(enter(ledger, 98)).toBe('new');
    expect(enter(ledger, 50, 50, 'import')).toBe('new');
    expect(gapsOf(ledger)).toEqual(['51-97 unwanted', '99-99 open']);
    expect(ledger.firstId).toBe(50);
    expect(enter(ledger, 60)).toBe('new');
  });

  it('is new inside a gap of any state', () => {
    const ledger = ledgerAt(1);
    enter(ledger, 10);
    settleGaps(ledger, 3, 5, 'confirmed');
    enterRefused(ledger, 7, 7, 0, AT_US);
    expect(gapsOf(ledger)).toEqual(['2-2 open', '3-5 confirmed', '6-6 open', '7-7 quarantined', '8-9 open']);
    for (const id of [2, 4, 7]) expect(enter(ledger, id)).toBe('new');
    expect(gapsOf(ledger)).toEqual(['3-3 confirmed', '5-5 confirmed', '6-6 open', '8-9 open']);
  });

  it('that is an aggregate over stored ids is a duplicate as a whole, and its other ids are a gap', () => {
    const ledger = ledgerAt(100);
    expect(enter(ledger, 99, 103)).toBe('duplicate');
    expect(gapsOf(ledger)).toEqual(['99-99 open', '101-103 open']);
    expect([ledger.firstId, ledger.lastId]).toEqual([99, 103]);
    expect(enter(ledger, 101, 103)).toBe('new');
    expect(enter(ledger, 102)).toBe('duplicate');
  });

  it('that is an aggregate over a gap and what follows is new', () => {
    const ledger = ledgerAt(1);
    enterHead(ledger, 5, 5000, AT_US);
    expect(enter(ledger, 4, 8)).toBe('new');
    expect(gapsOf(ledger)).toEqual(['2-3 open']);
    expect(ledger.lastId).toBe(8);
  });

  it('that skips too many ids is held, until the head of the venue confirms them', () => {
    const ledger = ledgerAt(1);
    const wild = GAP_IDS_MAX + 3;
    expect(enter(ledger, wild)).toBe('gap_too_large');
    expect(gapsOf(ledger)).toEqual([]);
    enterHead(ledger, wild, wild * 1000, AT_US);
    expect(gapsOf(ledger)).toEqual([`2-${wild} open`]);
    expect(enter(ledger, wild)).toBe('new');
  });

  it('that would open one gap too many is held, one that closes a gap is not', () => {
    const ledger = ledgerAt(0);
    for (let i = 1; i <= OPEN_GAPS_MAX; i++) expect(enter(ledger, i * 2)).toBe('new');
    expect(enter(ledger, OPEN_GAPS_MAX * 2 + 2)).toBe('too_many_gaps');
    expect(enter(ledger, 1)).toBe('new');
    expect(enter(ledger, OPEN_GAPS_MAX * 2 + 2)).toBe('new');
  });

  it('opens an epoch when it is live, far below and later than everything', () => {
    const ledger = ledgerAt(1_000_000);
    ledger.newestTsUs = ledger.lastTsUs;
    const laterUs = ledger.lastTsUs + 1;
    expect(opensEpoch(ledger, 5, laterUs, 'live')).toBe(true);
    expect(opensEpoch(ledger, 5, laterUs, 'repair')).toBe(false);
    expect(opensEpoch(ledger, 5, ledger.lastTsUs, 'live')).toBe(false);
    expect(opensEpoch(ledger, 999_999, laterUs, 'live')).toBe(false);
  });
});

describe('what is wanted', () => {
  it('below the first is an open gap, and what lies between is not wanted', () => {
    const ledger = ledgerAt(100);
    enterWanted(ledger, 10, 20, 10_000, 20_000, AT_US);
    expect(gapsOf(ledger)).toEqual(['10-20 open', '21-99 unwanted']);
    enterWanted(ledger, 15, 99, 15_000, 99_000, AT_US);
    expect(gapsOf(ledger)).toEqual(['10-20 open', '21-99 open']);
  });

  it('never makes stored ids missing', () => {
    const ledger = ledgerAt(50);
    enterWanted(ledger, 40, 60, 40_000, 60_000, AT_US);
    expect(gapsOf(ledger)).toEqual(['40-49 open', '51-60 open']);
  });
});

describe('any order of any ids', () => {
  it('stores each id once, and every other id between first and last lies in a gap', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = createRandom(seed);
      const ledger = ledgerAt(100);
      const stored = new Set([100]);
      for (let i = 0; i < 80; i++) {
        const id = 60 + Math.floor(random() * 80);
        const lastId = id + (random() < 0.2 ? Math.floor(random() * 5) : 0);
        const ids = Array.from({ length: lastId - id + 1 }, (_, k) => id + k);
        const verdict = enter(ledger, id, lastId, random() < 0.8 ? 'live' : 'repair');
        const isNew = ids.every((one) => !stored.has(one));
        expect({ seed, id, lastId, verdict }).toEqual({ seed, id, lastId, verdict: isNew ? 'new' : 'duplicate' });
        if (isNew) for (const one of ids) stored.add(one);
        if (random() < 0.1) settleGaps(ledger, id, id + 10, random() < 0.5 ? 'confirmed' : 'unwanted');
      }
      const inGaps = ledger.gaps.list.flatMap((gap) =>
        Array.from({ length: gap.toId - gap.fromId + 1 }, (_, k) => gap.fromId + k),
      );
      const all = Array.from({ length: ledger.lastId - ledger.firstId + 1 }, (_, k) => ledger.firstId + k);
      expect({ seed, ids: [...stored, ...inGaps].sort((a, b) => a - b) }).toEqual({ seed, ids: all });
      const openIds = ledger.gaps.list.filter((gap) => gap.state === 'open').map((gap) => gap.toId - gap.fromId + 1);
      expect([ledger.gaps.open, ledger.gaps.openIds]).toEqual([openIds.length, openIds.reduce((a, b) => a + b, 0)]);
      for (const gap of ledger.gaps.list) expect(gap.fromTsUs ?? 0).toBeLessThanOrEqual(gap.toTsUs ?? 0);
    }
  });
});
