/**
 * `GET /v1/stream`, `/ws` and `/stream` without an upgrade: says that this is a WebSocket.
 * It must not serve anything; upgrades go to the stream server.
 */
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../api-error.ts';
import { ErrorAnswer, MarketQuery } from '../schemas.ts';
import { STREAM_PATH } from '../stream-server.ts';

/** Adds the routes, so that they stand in the document. */
export function addStreamRoute(app: FastifyInstance): void {
  const schema = {
    tags: ['candles'],
    summary: 'WebSocket: candles as they change',
    description:
      'Messages: subscribe (id, channel "candles", symbol, interval, hop, source, limit, since), unsubscribe (id), ping. Answers: snapshot, then update with the changed candles; stale, fresh, error. `seq` grows with each update of a subscription; a subscription with `since` set to the last one seen resumes there. Where reading needs a key, a page offers the subprotocols wick.v1 and wick.key.<the key in base64url>; wick.v1 is chosen.',
    response: { 101: { description: 'the WebSocket', type: 'null' }, 400: ErrorAnswer },
  };
  app.get(STREAM_PATH, { schema }, () => {
    throw new ApiError(400, 'upgrade_required', 'this is a WebSocket; connect with ws:// and send a subscribe message');
  });
  addMarketRoute(app, '/ws', 'Binance: market streams, raw; streams may follow as /ws/<stream>/<stream>');
  addMarketRoute(app, '/stream', 'Binance: market streams, combined; ?streams=<stream>/<stream>');
}

function addMarketRoute(app: FastifyInstance, path: string, summary: string): void {
  const schema = {
    tags: ['binance'],
    summary,
    description:
      'A WebSocket. Streams: <symbol>@kline_<interval>, <symbol>@kline_<interval>@hop_<minutes>m (ours), <symbol>@trade, <symbol>@bookTicker, <symbol>@ticker. Messages: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY, GET_PROPERTY.',
    querystring: MarketQuery,
    response: { 101: { description: 'the WebSocket', type: 'null' }, 400: ErrorAnswer },
  };
  app.get(path, { schema }, () => {
    throw new ApiError(400, 'upgrade_required', `this is a WebSocket; connect with ws:// to ${path}`);
  });
}
