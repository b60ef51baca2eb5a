/**
 * Checks what the arguments of npm start mean.
 * It must not start anything.
 */
import { describe, expect, it } from 'vitest';
import { readStartOptions } from '../src/start-options.ts';
import { UsageError } from '../src/usage-error.ts';

const read = (line: string, env = {}) => readStartOptions(line.split(' ').filter(Boolean), env, '/data');

describe('the arguments of npm start', () => {
  it('default to the feed that answers', () => {
    expect(read('')).toEqual({ feed: 'auto', replayFiles: [], speed: 1 });
  });

  it('win over the environment', () => {
    expect(read('', { FEED: 'binance' }).feed).toBe('binance');
    expect(read('--feed simulator', { FEED: 'binance' }).feed).toBe('simulator');
  });

  it('take several recordings after one --replay, from the folder they were typed in', () => {
    const options = read('--replay a.gz b.csv --speed max --symbol btcusdt', { FEED: 'simulator' });
    expect(options).toEqual({
      feed: 'replay',
      replayFiles: ['/data/a.gz', '/data/b.csv'],
      speed: 'max',
      symbol: 'BTCUSDT',
    });
  });

  it.each([
    ['--feed kraken', 'simulator, binance or auto'],
    ['--speed 2', 'belong to --replay'],
    ['--replay a --feed binance', 'exclude each other'],
    ['--replay a --speed 0', 'above zero'],
    ['--replay a --speed fast', 'above zero'],
    ['--port 70000', '1 to 65535'],
    ['recording.gz', 'is not an option'],
    ['--colour', 'use npm start'],
  ])('refuse "%s" in one sentence', (line, words) => {
    expect(() => read(line)).toThrow(words);
    expect(() => read(line)).toThrow(UsageError);
  });
});
