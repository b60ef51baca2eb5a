/**
 * The parameters of REST calls, judged as Binance does.
 * It must be pure.
 */
import type { AggregateQuery, Market } from './market.ts';
import {
  emptyParameter,
  illegalCharacters,
  invalidCombination,
  invalidData,
  invalidInterval,
  invalidSymbol,
  missingParameter,
} from './rest-errors.ts';
import { KLINE_WIDTHS_US } from './stream-names.ts';
import type { SymbolInfo } from './symbol-list.ts';

/** Parameters by name; a name that came twice is an array. */
export type Query = Readonly<Record<string, string | string[] | undefined>>;

/** Rows of a list when no limit is sent. */
export const LIMIT_DEFAULT = 500;
/** Most rows of a list; higher limits are taken as this. */
export const LIMIT_MAX = 1000;

const SYMBOL_RANGE = '^[A-Z0-9-_.]{1,20}$';
const SYMBOL_PATTERN = /^[\p{L}\p{N}_.-]{1,50}$/u;
const NUMBER_RANGE = '^[0-9]{1,20}$';
const MICROSECONDS_FROM = 1e15;

/** The text of a parameter. Errors: -1105 when it is empty. */
export function textOf(query: Query, name: string): string | undefined {
  const value = query[name];
  const text = Array.isArray(value) ? value[0] : value;
  if (text === '') throw emptyParameter(name);
  return text;
}

/** The symbol that a call is about. Errors: -1102, -1105, -1100, -1121. */
export function symbolOf(query: Query, market: Market): SymbolInfo {
  const text = textOf(query, 'symbol');
  if (text === undefined) throw missingParameter('symbol');
  return findSymbol(text, market);
}

/** The symbol of that name. Errors: -1100, -1121. */
export function findSymbol(text: string, market: Market): SymbolInfo {
  if (!SYMBOL_PATTERN.test(text) || text !== text.toUpperCase()) throw illegalCharacters('symbol', SYMBOL_RANGE);
  const found = market.find(text);
  if (found === undefined) throw invalidSymbol();
  return found;
}

/** A whole number. Errors: -1100. */
export function numberOf(query: Query, name: string): number | undefined {
  const text = textOf(query, name);
  if (text === undefined) return undefined;
  if (!/^\d{1,20}$/.test(text)) throw illegalCharacters(name, NUMBER_RANGE);
  return Number(text);
}

/** The wanted rows, at most LIMIT_MAX. Errors: -1100, -1130 for zero. */
export function limitOf(query: Query): number {
  const limit = numberOf(query, 'limit') ?? LIMIT_DEFAULT;
  if (limit < 1) throw invalidData('limit');
  return Math.min(limit, LIMIT_MAX);
}

/** A time in ms or, from 10^15 on, µs, in µs. */
export function timeUsOf(query: Query, name: string): number | undefined {
  const time = numberOf(query, name);
  return time === undefined || time >= MICROSECONDS_FROM ? time : time * 1000;
}

/** Which aggregates are wanted. Errors: -1128 for ids together with times, or an end before the start. */
export function aggregateQueryOf(query: Query): AggregateQuery {
  const fromId = numberOf(query, 'fromId');
  const fromUs = timeUsOf(query, 'startTime');
  const endUs = timeUsOf(query, 'endTime');
  if (fromId !== undefined && (fromUs !== undefined || endUs !== undefined)) throw invalidCombination();
  if (fromUs !== undefined && endUs !== undefined && endUs < fromUs) throw invalidCombination();
  return {
    limit: limitOf(query),
    ...(fromId === undefined ? {} : { fromId }),
    ...(fromUs === undefined ? {} : { fromUs }),
    // A bound in ms includes its whole millisecond.
    ...(endUs === undefined ? {} : { toUs: endUs % 1000 === 0 ? endUs + 999 : endUs }),
  };
}

/** Which klines are wanted. Errors: -1102, -1120, -1128. */
export function klineQueryOf(query: Query): { interval: string; limit: number; fromUs?: number; toUs?: number } {
  const interval = textOf(query, 'interval');
  if (interval === undefined) throw missingParameter('interval');
  if (!Object.hasOwn(KLINE_WIDTHS_US, interval)) throw invalidInterval();
  const fromUs = timeUsOf(query, 'startTime');
  const toUs = timeUsOf(query, 'endTime');
  if (fromUs !== undefined && toUs !== undefined && toUs < fromUs) throw invalidCombination();
  return {
    interval,
    limit: limitOf(query),
    ...(fromUs === undefined ? {} : { fromUs }),
    ...(toUs === undefined ? {} : { toUs }),
  };
}
