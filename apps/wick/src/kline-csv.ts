/**
 * Reads the text of a klines CSV: with a header, or as the exchange publishes it, without one.
 * It must be pure, and must refuse a file that it does not understand rather than guess.
 */
import { KLINE_FIELDS, type KlineField } from '@wickstream/shared/kline-value';
import { type Kline, type KlineColumns, KlineError, readKline, standardColumns } from './kline.ts';

/** Most rows of one file: two years of minutes. */
export const KLINE_ROWS_MAX = 1_100_000;

const HEADERS: Readonly<Record<KlineField | 'openTime', readonly string[]>> = {
  openTime: ['opentime', 'time', 'timestamp', 'date'],
  open: ['open'],
  high: ['high'],
  low: ['low'],
  close: ['close'],
  volume: ['volume'],
  quoteVolume: ['quotevolume', 'quoteassetvolume'],
  trades: ['trades', 'count', 'numberoftrades'],
  takerBuyVolume: ['takerbuyvolume', 'takerbuybasevolume', 'takerbuybaseassetvolume'],
  takerBuyQuoteVolume: ['takerbuyquotevolume', 'takerbuyquoteassetvolume'],
};

/** Reads all rows. Order: by open time. Limits: KLINE_ROWS_MAX rows. Errors: KlineError. */
export function parseKlineCsv(text: string): Kline[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (lines.length > KLINE_ROWS_MAX)
    throw new KlineError(`it has more than ${KLINE_ROWS_MAX} rows; compare it in parts`);
  const [first = ''] = lines;
  const hasHeader = !/^"?\d/.test(first);
  const columns = hasHeader ? readHeader(splitRow(first)) : standardColumns;
  const klines = lines
    .slice(hasHeader ? 1 : 0)
    .map((line, i) => readKline(splitRow(line), columns, i + (hasHeader ? 2 : 1)));
  klines.sort((a, b) => a.openTime - b.openTime);
  const double = klines.find((kline, i) => kline.openTime === klines[i - 1]?.openTime);
  if (double) throw new KlineError(`it has the open time ${double.openTime} twice`);
  return klines;
}

/** The smallest time between two klines. Units: ms; undefined with fewer than two. */
export function stepOf(klines: readonly Kline[]): number | undefined {
  const steps = klines.slice(1).map((kline, i) => kline.openTime - (klines[i]?.openTime ?? 0));
  return steps.length === 0 ? undefined : steps.reduce((a, b) => Math.min(a, b));
}

function readHeader(names: readonly string[]): KlineColumns {
  const known = names.map((name) => name.toLowerCase().replace(/[^a-z]/g, ''));
  const find = (field: keyof typeof HEADERS) => known.findIndex((name) => HEADERS[field].includes(name));
  const missing = (['openTime', 'open', 'high', 'low', 'close', 'volume'] as const).filter(
    (field) => find(field) === -1,
  );
  if (missing.length > 0)
    throw new KlineError(`its header lacks ${missing.join(', ')}; it needs open_time,open,high,low,close,volume`);
  const fields = Object.fromEntries(KLINE_FIELDS.map((field) => [field, find(field)])) as Record<KlineField, number>;
  return { openTime: find('openTime'), fields };
}

function splitRow(line: string): string[] {
  return line.split(',').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));
}
