/**
 * Recorded Binance data, replayed: the exchange's klines must equal Binance's own, digit for digit.
 * It must read the folder that WICK_REALDATA names and copy nothing from it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Exchange, startExchange } from '../src/app.ts';
import { connect, get } from './market-client.ts';

const FOLDER = process.env.WICK_REALDATA;
const WHY = 'WICK_REALDATA names no folder with recordings';

type Kline = readonly (string | number)[];

function officialKlines(name: string): number[][] {
  const text = readFileSync(join(FOLDER as string, name), 'utf8');
  return text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(',').map(Number));
}

const numbersOf = (rows: readonly Kline[]): number[][] => rows.map((row) => row.slice(0, 6).map(Number));

async function playAll(names: readonly string[], streams: string, symbol?: string): Promise<Exchange> {
  const files = names.map((name) => join(FOLDER as string, name));
  const exchange = await startExchange({ mode: 'replay', files, speed: 'max', symbol });
  const client = await connect(exchange.port, `/stream?streams=${streams}`);
  while (exchange.replay?.status().state !== 'finished') await new Promise((resolve) => setTimeout(resolve, 20));
  const { sent } = exchange.replay.status();
  await client.until((texts) => (texts.length >= sent ? true : undefined));
  client.close();
  return exchange;
}

async function klines(exchange: Exchange, query: string): Promise<Kline[]> {
  return (await get(exchange.port, `/api/v3/klines?${query}`)).body as Kline[];
}

describe('recorded data', () => {
  it('BTCUSDT across midnight: the ten whole minutes', async (context) => {
    if (FOLDER === undefined) return context.skip(WHY);
    const names = ['binance-spot-btcusdt-2024-08-09.frames.gz', 'binance-spot-btcusdt-2024-08-08.frames.gz'];
    const exchange = await playAll(names, 'btcusdt@trade/btcusdt@bookTicker');
    const expected = officialKlines('binance-spot-btcusdt-2024-08-08.klines-1m.csv').filter(
      (row) => (row[0] as number) >= Date.UTC(2024, 7, 8, 23, 55) && (row[0] as number) <= Date.UTC(2024, 7, 9, 0, 4),
    );
    expect(expected).toHaveLength(10);
    const from = `startTime=${expected[0]?.[0]}&limit=10`;
    expect(numbersOf(await klines(exchange, `symbol=BTCUSDT&interval=1m&${from}`))).toEqual(expected);
    await exchange.close();
  });

  it('XRPETH of a day: every minute and five minutes to the end of the day, empty ones flat', async (context) => {
    if (FOLDER === undefined) return context.skip(WHY);
    const exchange = await playAll(['binance-spot-xrpeth-2019-10-11.aggtrades.csv.gz'], 'xrpeth@aggTrade', 'XRPETH');
    const day = Date.UTC(2019, 9, 11);
    const ones = officialKlines('binance-spot-xrpeth-2019-10-11.klines-1m.csv');
    const halves = [
      ...(await klines(exchange, `symbol=XRPETH&interval=1m&startTime=${day}&limit=1000`)),
      ...(await klines(exchange, `symbol=XRPETH&interval=1m&startTime=${day + 1000 * 60_000}&limit=440`)),
    ];
    expect(ones).toHaveLength(1440);
    // The last trade is of 23:54; the file is named for its day, so the clock runs on to the day's end.
    expect(numbersOf(halves)).toEqual(ones);
    const fives = officialKlines('binance-spot-xrpeth-2019-10-11.klines-5m.csv');
    expect(fives).toHaveLength(288);
    const halfTens = await klines(exchange, `symbol=XRPETH&interval=5m&startTime=${day}&limit=288`);
    expect(numbersOf(halfTens)).toEqual(fives);
    await exchange.close();
  });

  it('2021: aggTrades, klines and depth of three symbols, times in seconds', async (context) => {
    if (FOLDER === undefined) return context.skip(WHY);
    const exchange = await playAll(
      ['binance-spot-2021-04-04.aggtrade-kline.frames.gz'],
      'btcusdt@aggTrade/dotusdt@kline_1m',
    );
    const status = exchange.replay?.status();
    expect(status?.symbols).toEqual(['BTCUSDT', 'DOTUSDT', 'ETHUSDT']);
    expect(status?.channels).toEqual(['aggTrade', 'depth@100ms', 'kline_1m']);
    expect(status?.unparsable).toBe(0);
    expect(status?.otherLines).toBe(4);
    const rows = (await get(exchange.port, '/api/v3/aggTrades?symbol=BTCUSDT&fromId=665076760&limit=2')).body as {
      a: number;
      f: number;
    }[];
    expect(rows[0]).toMatchObject({ a: 665076760, f: 745522877, p: '58001.03000000' });
    await exchange.close();
  });
});
