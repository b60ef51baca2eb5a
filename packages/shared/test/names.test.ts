/** Tests of names that are relied on outside: a change here is a break of the contract. */
import { describe, expect, it } from 'vitest';
import { shardKeys, shardOf } from '../src/names.ts';

describe('names', () => {
  it('tags every key of a shard with its number', () => {
    expect(shardKeys('sim:', 2)).toEqual({ ticks: 'sim:ticks:{2}', bars: 'sim:bars:{2}', lease: 'sim:lease:{2}' });
  });

  it('keeps symbols on their shard for ever', () => {
    const shards = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT', '这是测试币456'].map((symbol) => shardOf('binance', symbol, 4));
    expect(shards).toMatchInlineSnapshot(`
      [
        0,
        0,
        1,
        3,
      ]
    `);
  });

  it('spreads symbols evenly', () => {
    const shards = Array.from({ length: 4000 }, (_, i) => shardOf('binance', `S${i}USDT`, 4));
    const counts = [0, 1, 2, 3].map((shard) => shards.filter((other) => other === shard).length);
    expect(Math.min(...counts)).toBeGreaterThan(900);
  });
});
