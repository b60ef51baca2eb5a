/**
 * The exchange's own kline as REST and files give it, reduced to what is compared.
 * It must be pure, and must keep decimals as the texts they came as.
 */
import { canonicalDecimal } from '@wickstream/shared/decimal';
import { KLINE_FIELDS, KLINE_PLACES, type KlineField } from '@wickstream/shared/kline-value';

/** A kline. Shape: canonical decimals; a field that the source lacks is absent. Units: `openTime` in ms. */
export type Kline = { readonly openTime: number; readonly fields: Readonly<Partial<Record<KlineField, string>>> };

/** Which column holds what. Shape: -1 for a field that the source lacks. */
export type KlineColumns = { readonly openTime: number; readonly fields: Readonly<Record<KlineField, number>> };

/** A text that is no kline; the message names the row and the fault. */
export class KlineError extends Error {
  override readonly name = 'KlineError';
}

const MS_MAX = 100_000_000_000_000;

/** The columns of the exchange's rows, in REST and in its files alike. */
export const standardColumns: KlineColumns = { openTime: 0, fields: KLINE_PLACES };

/** Reads one row. Units: a time of more than fourteen digits is in µs. Errors: KlineError. */
export function readKline(cells: readonly unknown[], columns: KlineColumns, row: number): Kline {
  const openTime = readTime(cells[columns.openTime], row);
  const fields: Partial<Record<KlineField, string>> = {};
  for (const field of KLINE_FIELDS) {
    const cell = cells[columns.fields[field]];
    if (cell === undefined) continue;
    const decimal = canonicalDecimal(String(cell).trim());
    if (decimal === undefined)
      throw new KlineError(`row ${row}: ${field} is no decimal: "${String(cell).slice(0, 40)}"`);
    fields[field] = decimal;
  }
  if (fields.close === undefined) throw new KlineError(`row ${row} is cut off`);
  return { openTime, fields };
}

function readTime(cell: unknown, row: number): number {
  const text = String(cell).trim();
  const time = Number(text);
  const ms = time >= MS_MAX ? time / 1000 : time;
  if (/^\d{1,16}$/.test(text) && Number.isInteger(ms)) return ms;
  throw new KlineError(`row ${row}: the open time is no time in ms or µs: "${text.slice(0, 40)}"`);
}
