/**
 * The parameters of Binance-compatible calls, judged as Binance does.
 * It must be pure; what is recorded is looked up by the caller.
 */

import {
  BinanceError,
  emptyParameter,
  illegalCharacters,
  invalidCombination,
  invalidData,
  invalidInterval,
  missingParameter,
} from './binance-error.ts';
import { INTERVALS } from './kline-interval.ts';

/** Rows of a list when no limit is sent. */
export const LIMIT_DEFAULT = 500;
/** Most rows of a list; higher limits are taken as this. */
export const LIMIT_MAX = 1000;
/** Most symbols in one `symbols` list. */
export const SYMBOL_LIST_MAX = 100;

const SYMBOL_RANGE = '^[A-Z0-9-_.]{1,20}$';
const SYMBOL_PATTERN = /^[\p{L}\p{N}_.-]{1,50}$/u;
const LIST_RANGE = '^\\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\\]$';
const NUMBER_RANGE = '^[0-9]{1,20}$';
const MICROSECONDS_FROM = 1e15;
const ZONE = /^([+-]?)(\d{1,2})(?::([0-5]\d))?$/;
const MINUTE_US = 60_000_000;
const ZONE_MINUTES_MIN = -12 * 60;
const ZONE_MINUTES_MAX = 14 * 60;

/** Parameters by name, none of them empty. */
export type CallParameters = ReadonlyMap<string, string>;

/** Reads the parameters of a URL. Errors: -1101 for a name sent twice or to a call without parameters, -1104 for others than `known`, -1105. */
export function readParameters(url: string, known: readonly string[]): CallParameters {
  const cut = url.indexOf('?');
  const given = [...new URLSearchParams(cut === -1 ? '' : url.slice(cut + 1))];
  if (known.length === 0 && given.length > 0) {
    throw new BinanceError(-1101, `Too many parameters; expected '0' and received '${given.length}'.`);
  }
  const found = new Map<string, string>();
  for (const [name, value] of given) {
    if (found.has(name)) throw new BinanceError(-1101, 'Duplicate values for a parameter detected.');
    found.set(name, value);
  }
  const read = given.filter(([name]) => known.includes(name)).length;
  if (read < given.length) {
    const message = `Not all sent parameters were read; read '${read}' parameter(s) but was sent '${given.length}'.`;
    throw new BinanceError(-1104, message);
  }
  for (const [name, value] of found) if (value === '') throw emptyParameter(name);
  return found;
}

/** The symbol that a call is about. Errors: -1102, -1100. */
export function symbolOf(query: CallParameters): string {
  const text = query.get('symbol');
  if (text === undefined) throw missingParameter('symbol');
  return checkSymbol(text, 'symbol', SYMBOL_RANGE);
}

/** The symbols of `symbol` or `symbols`; undefined when neither is sent. Errors: -1128 for both, -1100, -1151 for one named twice. */
export function symbolsOf(query: CallParameters): { one: boolean; symbols: string[] } | undefined {
  const list = query.get('symbols');
  if (query.has('symbol')) {
    if (list !== undefined) throw invalidCombination();
    return { one: true, symbols: [symbolOf(query)] };
  }
  if (list === undefined) return undefined;
  const symbols = parseList(list);
  for (const symbol of symbols) checkSymbol(symbol, 'symbols', LIST_RANGE);
  if (new Set(symbols).size < symbols.length) {
    throw new BinanceError(-1151, 'Symbol is present multiple times in the list.');
  }
  if (symbols.length === 0 || symbols.length > SYMBOL_LIST_MAX) throw invalidData('symbols');
  return { one: false, symbols };
}

function parseList(text: string): string[] {
  try {
    const names: unknown = JSON.parse(text);
    if (Array.isArray(names) && names.every((name): name is string => typeof name === 'string')) return names;
  } catch {
    // falls through to the error that names the form
  }
  throw illegalCharacters('symbols', LIST_RANGE);
}

function checkSymbol(text: string, name: string, range: string): string {
  if (SYMBOL_PATTERN.test(text) && text === text.toUpperCase()) return text;
  throw illegalCharacters(name, range);
}

/** A whole number. Errors: -1100. */
export function numberOf(query: CallParameters, name: string): number | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  if (!/^\d{1,20}$/.test(text)) throw illegalCharacters(name, NUMBER_RANGE);
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
}

/** The wanted rows, at most LIMIT_MAX. Errors: -1100, -1130 for zero. */
export function limitOf(query: CallParameters): number {
  const limit = numberOf(query, 'limit') ?? LIMIT_DEFAULT;
  if (limit < 1) throw invalidData('limit');
  return Math.min(limit, LIMIT_MAX);
}

/** `startTime` and `endTime` as a range in µs, its end exclusive. Shape: times are in ms or, from 10^15 on, in µs. Errors: -1100. */
export function rangeOf(query: CallParameters): { fromUs: number | undefined; toUs: number | undefined } {
  const [start, end] = [numberOf(query, 'startTime'), numberOf(query, 'endTime')];
  const fromUs = start === undefined || start >= MICROSECONDS_FROM ? start : start * 1000;
  // An end in ms includes its whole millisecond.
  const toUs = end === undefined ? undefined : end >= MICROSECONDS_FROM ? end + 1 : end * 1000 + 1000;
  return { fromUs: clampTime(fromUs), toUs: clampTime(toUs) };
}

const TIME_US_MAX = 8_000_000_000_000_000;

function clampTime(timeUs: number | undefined): number | undefined {
  return timeUs === undefined ? undefined : Math.min(timeUs, TIME_US_MAX);
}

/** The kline interval. Errors: -1102, -1120; `1s` is not served. */
export function intervalOf(query: CallParameters): string {
  const interval = query.get('interval');
  if (interval === undefined) throw missingParameter('interval');
  if (!INTERVALS.includes(interval)) throw invalidInterval();
  return interval;
}

/** What `timeZone` adds to UTC: hours and minutes from -12:00 to +14:00, `8`, `-1:00` or `05:45`. Units: µs. Errors: -1130. */
export function zoneOf(query: CallParameters): number {
  const text = query.get('timeZone');
  if (text === undefined) return 0;
  // A plus sign that was not encoded arrives as a blank.
  const match = ZONE.exec(text.trim());
  if (match === null) throw invalidData('timeZone');
  const [, sign, hours, minutes = '0'] = match;
  const offset = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  if (offset < ZONE_MINUTES_MIN || offset > ZONE_MINUTES_MAX) throw invalidData('timeZone');
  return offset * MINUTE_US;
}
