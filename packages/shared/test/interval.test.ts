/** Tests of intervals, hops and windows. They must name each limit that is refused. */
import { describe, expect, it } from 'vitest';
import { MINUTE_US } from '../src/bar.ts';
import {
  firstWindowFrom,
  IntervalError,
  lastWindowAt,
  nextWindow,
  parseWindowing,
  previousWindow,
} from '../src/interval.ts';

const us = (iso: string): number => Date.parse(iso) * 1000;

describe('windows', () => {
  it('hop within their width', () => {
    const windowing = parseWindowing('5m', '1m');
    const window = lastWindowAt(windowing, us('2024-08-08T23:58:59.999Z'));
    expect(window).toEqual({ openUs: us('2024-08-08T23:58Z'), closeUs: us('2024-08-09T00:03Z') });
    expect(nextWindow(windowing, window).openUs - window.openUs).toBe(MINUTE_US);
    expect(previousWindow(windowing, window).openUs).toBe(us('2024-08-08T23:57Z'));
  });

  it('align weeks to Monday and months to their first day', () => {
    const week = lastWindowAt(parseWindowing('1w'), us('2026-11-21T12:00Z'));
    expect(week).toEqual({ openUs: us('2026-11-16T00:00Z'), closeUs: us('2026-11-23T00:00Z') });
    const month = lastWindowAt(parseWindowing('1M'), us('2024-02-29T23:59Z'));
    expect(month).toEqual({ openUs: us('2024-02-01T00:00Z'), closeUs: us('2024-03-01T00:00Z') });
    expect(previousWindow(parseWindowing('1M'), month).openUs).toBe(us('2024-01-01T00:00Z'));
  });

  it('begin at or after a given time', () => {
    const windowing = parseWindowing('1h');
    expect(firstWindowFrom(windowing, us('2024-01-01T10:00Z')).openUs).toBe(us('2024-01-01T10:00Z'));
    expect(firstWindowFrom(windowing, us('2024-01-01T10:00Z') + 1).openUs).toBe(us('2024-01-01T11:00Z'));
  });

  it('work before the epoch', () => {
    expect(lastWindowAt(parseWindowing('5m'), -1).openUs).toBe(-5 * MINUTE_US);
  });

  it.each(['', '5', 'm', '0m', '1.5m', '-5m', '5M', '2M', '1y', '5s', '367d', '1000000m', '5m ', '5 m'])(
    'refuse interval %j',
    (text) => {
      expect(() => parseWindowing(text)).toThrow(IntervalError);
    },
  );

  it.each([
    ['5m', '6m'],
    ['5m', '30s'],
    ['1M', '1d'],
    ['5m', 'x'],
  ])('refuse interval %s with hop %s', (interval, hop) => {
    expect(() => parseWindowing(interval, hop)).toThrow(expect.objectContaining({ param: 'hop' }));
  });
});
