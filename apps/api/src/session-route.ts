/**
 * Which session a socket gets by its path: the native stream, or Binance's market streams.
 * It must not open anything itself.
 */
import { ApiError } from './api-error.ts';
import { createMarketSession, type MarketShared } from './binance/market-session.ts';
import { parseMarketUrl } from './binance/market-url.ts';
import { type SessionRoute, STREAM_PATH } from './stream-server.ts';
import { createStreamSession, type SessionShared } from './stream-session.ts';

/** Creates the route. Errors: ApiError 404 for other paths and for streams of unknown symbols, 400 for streams that are not served. */
export function createSessionRoute(native: SessionShared, market: MarketShared): SessionRoute {
  return (url) => {
    if (url.split('?')[0] === STREAM_PATH) return (socket) => createStreamSession(socket, native);
    const target = parseMarketUrl(url);
    if (target === undefined) {
      throw new ApiError(
        404,
        'not_found',
        `no stream here; connect to ${STREAM_PATH}, /ws/<stream> or /stream?streams=`,
      );
    }
    for (const { symbol } of target.streams) market.shardOf(symbol);
    return (socket) => createMarketSession(socket, market, target);
  };
}
