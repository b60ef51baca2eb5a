/**
 * The two forms of a market socket's URL: `/ws/<stream>/…` and `/stream?streams=a/b`, URL-encoded or not.
 * It must be pure.
 */
import { ApiError } from '../api-error.ts';
import { type TimeUnit, timeUnitOf } from './binance-text.ts';
import { STREAMS_MAX } from './control-protocol.ts';
import { type MarketStream, parseStreamName, StreamNameError } from './stream-name.ts';

/** What a URL asks for. */
export type MarketTarget = {
  readonly streams: readonly MarketStream[];
  readonly combined: boolean;
  readonly unit: TimeUnit;
};

/** Reads the URL of an upgrade request; undefined when it is no market socket. Errors: ApiError 400. */
export function parseMarketUrl(url: string): MarketTarget | undefined {
  const { path, query } = decodeUrl(url);
  const combined = /^\/stream(\/|$)/.test(path);
  if (!combined && !/^\/ws(\/|$)/.test(path)) return undefined;
  const unit = timeUnitOf(query.get('timeUnit') ?? 'MILLISECOND');
  if (unit === undefined) throw refused('timeUnit must be MILLISECOND or MICROSECOND');
  const text = combined ? (query.get('streams') ?? '') : path.slice(4);
  // A name without a channel, as some clients number their connections, carries nothing.
  const names = [...new Set(text.split('/').filter((name) => name.includes('@')))];
  if (names.length > STREAMS_MAX) throw refused(`a connection can listen to a maximum of ${STREAMS_MAX} streams`);
  try {
    return { streams: names.map(parseStreamName), combined, unit };
  } catch (error) {
    throw error instanceof StreamNameError ? refused(error.message) : error;
  }
}

// A whole URL may arrive encoded, its `?` and `=` too; then only decoding shows where the query begins.
function decodeUrl(url: string): { path: string; query: URLSearchParams } {
  try {
    const whole = url.includes('?') ? url : decodeURIComponent(url);
    const cut = whole.indexOf('?');
    const path = decodeURIComponent(cut === -1 ? whole : whole.slice(0, cut));
    return { path, query: new URLSearchParams(cut === -1 ? '' : whole.slice(cut + 1).replaceAll('+', '%2B')) };
  } catch {
    throw refused('the URL is not well encoded');
  }
}

function refused(message: string): ApiError {
  return new ApiError(400, 'invalid_parameter', message);
}
