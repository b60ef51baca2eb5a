/**
 * Finds the recorded market data that `WICK_REALDATA` names, with the exchange's own candles.
 * It must not copy the data.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One of the exchange's own candles. Units: `openTime` in ms; decimals without needless zeros. */
export type Kline = { openTime: number; open: string; high: string; low: string; close: string; volume: string };

const folder = process.env.WICK_REALDATA;

/** Why recorded data can't be had here; undefined when it can. */
export const realDataMissing: string | undefined =
  folder && existsSync(folder) ? undefined : 'no recorded market data here (WICK_REALDATA names no folder)';

/** The path of one recorded file. */
export function realFile(name: string): string {
  return join(folder ?? '.', name);
}

/** The exchange's own candles from a CSV with the columns open_time, open, high, low, close, volume. */
export function readKlines(name: string): Kline[] {
  const [, ...lines] = readFileSync(realFile(name), 'utf8').trim().split('\n');
  return lines.map((line) => {
    const [time, open = '', high = '', low = '', close = '', volume = ''] = line.split(',');
    const trim = (decimal: string) => (decimal.includes('.') ? decimal.trim().replace(/\.?0+$/, '') : decimal.trim());
    return {
      openTime: Number(time),
      open: trim(open),
      high: trim(high),
      low: trim(low),
      close: trim(close),
      volume: trim(volume),
    };
  });
}
