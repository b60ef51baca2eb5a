/**
 * The commands that ask a running Wickstream over HTTP: status, symbols, start and stop of the feed.
 * It must not talk to Redis or the database.
 */
import { createApiClient } from './api-client.ts';
import type { HelpName } from './command-help.ts';
import { formatTime, type Options, readOptions } from './command-options.ts';
import { findPlace } from './running-place.ts';
import { formatStatus, type Status } from './status-line.ts';
import { formatTable } from './text-table.ts';

type SymbolsAnswer = {
  symbols: {
    symbol: string;
    venue: string;
    shard: number;
    status: string | null;
    asOf: number | null;
    sources: string[];
  }[];
};

/** `wick status [--json]`: one line, or the whole status. */
export async function showStatus(args: string[]): Promise<number> {
  const { options, api } = await open('status', args);
  return print(options, await api.get<Status>('/v1/status'), formatStatus);
}

/** `wick symbols [--json]`: what is recorded. */
export async function showSymbols(args: string[]): Promise<number> {
  const { options, api } = await open('symbols', args);
  return print(options, await api.get<SymbolsAnswer>('/v1/symbols'), formatSymbols);
}

/** `wick start [--json]`: lets the feed flow. */
export async function startFeed(args: string[]): Promise<number> {
  const { options, api } = await open('start', args);
  return print(options, await api.post<{ state?: string }>('/v1/feed/start'), formatState);
}

/** `wick stop [--json]`: holds the feed. */
export async function stopFeed(args: string[]): Promise<number> {
  const { options, api } = await open('stop', args);
  return print(options, await api.post<{ state?: string }>('/v1/feed/stop'), formatState);
}

async function open(name: HelpName, args: string[]) {
  const options = readOptions(name, args);
  return { options, api: createApiClient((await findPlace(options.text('api'))).apiUrl) };
}

function print<T>(options: Options, answer: T, format: (answer: T) => string): number {
  console.log(options.flag('json') ? JSON.stringify(answer, null, 2) : format(answer));
  return 0;
}

function formatState({ state }: { state?: string }): string {
  return `the feed is ${state ?? 'told'}`;
}

function formatSymbols({ symbols }: SymbolsAnswer): string {
  if (symbols.length === 0) return 'nothing is recorded yet';
  const rows = symbols.map((one) => [
    one.symbol,
    one.venue,
    String(one.shard),
    one.status ?? '–',
    one.asOf === null ? '–' : formatTime(one.asOf),
    one.sources.join(' '),
  ]);
  return formatTable(['symbol', 'venue', 'shard', 'status', 'newest tick', 'candles from'], rows);
}
