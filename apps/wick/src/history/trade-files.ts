/**
 * Which files an import reads, of which symbol each is, in which order, and what their names say of the time they hold.
 * It must not open them.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { UsageError } from '../usage-error.ts';

/** A day or month that a file's name says it holds whole. Units: µs, `toUs` exclusive. */
export type Period = { readonly fromUs: number; readonly toUs: number };

/** A file of an import. */
export type TradeFile = { readonly path: string; readonly symbol: string; readonly period: Period | undefined };

const SYMBOL = /^[A-Z0-9_]{2,30}$/;
const KINDS = /\.(csv|csv\.gz|gz|zip)$/i;
const PERIOD = /(?<!\d)(\d{4})-(\d{2})(?:-(\d{2}))?(?!\d)/;

/** Lists the files of places, which are files and folders (all below them whose names end with .csv, .gz or .zip). Order: by symbol, then by time. Errors: UsageError. */
export async function listTradeFiles(places: readonly string[], symbol: string | undefined): Promise<TradeFile[]> {
  const base = process.env.INIT_CWD ?? process.cwd();
  const paths = (await Promise.all(places.map((place) => expand(resolve(base, place))))).flat();
  const files = [...new Set(paths)].map((path) => {
    return { path, symbol: symbolOfFile(path, symbol), period: periodOfFile(path) };
  });
  return files.sort(
    (a, b) => compareTexts(a.symbol, b.symbol) || startOf(a) - startOf(b) || compareTexts(a.path, b.path),
  );
}

/** The symbol of a file: its name up to the first `-` if that is one, else the one given. Errors: UsageError. */
export function symbolOfFile(path: string, given: string | undefined): string {
  const name = basename(path);
  const [head = ''] = name.split('-');
  if (SYMBOL.test(head) && name.includes('-')) return head;
  if (given !== undefined) return given.toUpperCase();
  throw new UsageError(
    `The name of ${path} does not say its symbol; say it, for example --symbol XRPETH, or name it XRPETH-trades-2024-01-02.csv.`,
    2,
  );
}

/** The UTC day or month in a file's name, as data.binance.vision names its files; undefined without one. */
export function periodOfFile(path: string): Period | undefined {
  const match = PERIOD.exec(basename(path));
  if (match === null) return undefined;
  const [year, month] = [Number(match[1]), Number(match[2]) - 1];
  const day = match[3] === undefined ? undefined : Number(match[3]);
  if (month > 11 || (day !== undefined && (day < 1 || day > 31))) return undefined;
  const fromUs = Date.UTC(year, month, day ?? 1) * 1000;
  const toUs = (day === undefined ? Date.UTC(year, month + 1, 1) : Date.UTC(year, month, day + 1)) * 1000;
  return { fromUs, toUs };
}

async function expand(path: string): Promise<string[]> {
  const found = await stat(path).catch((error: unknown) => {
    throw new UsageError(`There is no file or folder ${path}; check the name.`, 2, error);
  });
  if (!found.isDirectory()) return [path];
  const names = (await readdir(path, { recursive: true })).filter((name) => KINDS.test(name));
  if (names.length === 0) throw new UsageError(`The folder ${path} holds no .csv, .gz or .zip; name another.`, 2);
  return names.map((name) => join(path, name));
}

function startOf({ period }: TradeFile): number {
  return period?.fromUs ?? 0;
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
