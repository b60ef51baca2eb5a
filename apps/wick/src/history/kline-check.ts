/**
 * Compares the candles of an import with the exchange's own klines in files that were named for it.
 * It must compare the range that was imported only, and nothing that is open or incomplete.
 */
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ApiClient } from '../api-client.ts';
import type { Comparison } from '../candle-comparison.ts';
import { type KlineSource, openKlineFile } from '../kline-source.ts';
import { UsageError } from '../usage-error.ts';
import { compareCandles, formatComparison, type VerifyRange } from '../verify-command.ts';
import { symbolOfFile } from './trade-files.ts';

/** What a file of klines said. Shape: `text` is what a person reads. */
export type KlineVerdict = {
  readonly file: string;
  readonly compared: number;
  readonly equal: number;
  readonly different: number;
  readonly text: string;
};

/** What was imported. Units: ms, `toMs` exclusive. */
export type VerifiedRange = { readonly symbol: string; readonly fromMs: number; readonly toMs: number };

/** How long the api is waited for. Units: ms. */
export const SHOWN_WAIT_MAX_MS = 10_000;

const LISTED_MAX = 20;
const LOOK_EVERY_MS = 500;
const MINUTE_MS = 60_000;

/** Compares with a file, or with each file of a folder. Shape: nothing when none is named. Errors: UsageError. */
export async function verifyKlines(
  api: ApiClient,
  place: string | undefined,
  ranges: readonly VerifiedRange[],
): Promise<KlineVerdict[]> {
  const verdicts: KlineVerdict[] = [];
  for (const file of place === undefined ? [] : await listFiles(place)) {
    const range = rangeOf(file, ranges);
    if (range === undefined) continue;
    const source = await openKlineFile(file);
    const interval = `${(source.range?.stepMs ?? MINUTE_MS) / MINUTE_MS}m`;
    const asked = { ...range, interval };
    const found = await compareWhenShown(api, source, asked);
    const { compared, equal, different } = found;
    verdicts.push({ file, compared, equal, different, text: formatComparison(found, asked, file) });
  }
  if (place !== undefined && !verdicts.some(({ compared }) => compared > 0)) {
    throw new UsageError(
      `Nothing of ${place} could be compared with what was imported; name klines of the same time.`,
      1,
    );
  }
  return verdicts;
}

/**
 * Compares candles with klines, again while any is missing, open, incomplete or different: the api shows what is stored a moment later.
 * Limits: the last comparison counts after SHOWN_WAIT_MAX_MS.
 */
export async function compareWhenShown(api: ApiClient, source: KlineSource, range: VerifyRange): Promise<Comparison> {
  const untilMs = Date.now() + SHOWN_WAIT_MAX_MS;
  for (;;) {
    const found = await compareCandles(api, source, range, LISTED_MAX).catch((error: unknown) => {
      if (Date.now() > untilMs) throw error;
    });
    const skipped = Object.values(found?.notCompared ?? {}).reduce((sum, count) => sum + count, 0);
    const isShown = found !== undefined && found.compared > 0 && skipped + found.different === 0;
    if (found !== undefined && (isShown || Date.now() > untilMs)) return found;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function rangeOf(file: string, ranges: readonly VerifiedRange[]): VerifiedRange | undefined {
  const symbol = symbolOfFile(file, ranges.length === 1 ? ranges[0]?.symbol : 'UNNAMED');
  return ranges.find((range) => range.symbol === symbol);
}

async function listFiles(place: string): Promise<string[]> {
  const path = resolve(process.env.INIT_CWD ?? process.cwd(), place);
  const found = await stat(path).catch((error: unknown) => {
    throw new UsageError(`There is no file or folder ${path} of klines; check --klines.`, 2, error);
  });
  if (!found.isDirectory()) return [path];
  return (await readdir(path))
    .filter((name) => /\.(csv|gz|zip)$/i.test(name))
    .sort()
    .map((name) => join(path, name));
}
