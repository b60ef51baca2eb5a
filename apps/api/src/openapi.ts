/**
 * What the OpenAPI document says beyond the routes' own schemas: names of operations, keys, and the answers that the door may give to any call.
 * It must not describe what a call does; its schema does.
 */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import type { Need } from './access.ts';
import { ErrorAnswer } from './schemas.ts';

/** What the document says of itself. */
const OPENAPI = {
  openapi: '3.1.0' as const,
  info: {
    title: 'Wickstream',
    version: '0.1.0',
    description:
      'Exact, complete and live candles. Prices and quantities are decimal texts; times are ms since the epoch, UTC. `WS /v1/stream` pushes candles: send {"op":"subscribe","id":1,"channel":"candles","symbol":"BTCUSDT","interval":"5m","hop":"1m"}.',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
  servers: [{ url: '/', description: 'This api' }],
  tags: [
    { name: 'candles', description: 'Candles' },
    { name: 'binance', description: 'The market calls of Binance’s spot REST, as Binance answers them' },
    { name: 'udf', description: 'TradingView’s Universal Data Feed' },
    { name: 'ticks', description: 'Trades, quotes and tickers as stored' },
    { name: 'symbols', description: 'What is recorded' },
    { name: 'feed', description: 'Control of the feed' },
    { name: 'status', description: 'Health, status and metrics' },
  ],
  components: { securitySchemes: { bearer: { type: 'http' as const, scheme: 'bearer' } } },
};

// What the door answers before a call is looked at.
const DOOR_STATUSES = [400, 401, 403, 429];
const MEANINGS: Readonly<Record<string, string>> = {
  101: 'The WebSocket',
  200: 'The answer',
  400: 'A parameter cannot be used',
  401: 'A key is needed',
  403: 'This key, or this page’s origin, may not do that',
  404: 'Not recorded here',
  429: 'Too many calls; see Retry-After',
  503: 'A server behind the api does not answer',
};

type Schema = Record<string, unknown> & {
  readonly response?: Record<string, Record<string, unknown>>;
  readonly produces?: readonly string[];
};

/** How the document is made of the routes. Shape: operations are named by method and path, `getV1Candles`. */
export const SWAGGER: FastifyDynamicSwaggerOptions = {
  openapi: OPENAPI,
  transform: ({ schema, url, route }) => {
    const { produces, ...known } = (schema ?? {}) as Schema;
    const { access = 'read' } = (route.config ?? {}) as { access?: Need };
    const method = [route.method].flat()[0] ?? 'GET';
    const described = {
      ...known,
      operationId: operationIdOf(method, url),
      security: SECURITY[access],
      response: responsesOf(known.response, produces),
    };
    return { schema: described, url };
  },
};

// Reading needs a key only where the operator says so; hence the empty choice.
const SECURITY: Readonly<Record<Need, readonly Record<string, readonly string[]>[]>> = {
  nothing: [],
  read: [{}, { bearer: [] }],
  control: [{ bearer: [] }, {}],
};

function operationIdOf(method: string, url: string): string {
  const words = url.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

function responsesOf(response: Schema['response'] = {}, produces: Schema['produces']): Record<string, object> {
  // Each family of calls has its own form of an error; the door's errors are given in it.
  const error = response['400'] ?? response['503'] ?? ErrorAnswer;
  const ok = response['200'] ?? (response['101'] === undefined ? okOf(produces) : undefined);
  const all: Record<string, object> = { ...(ok !== undefined && { 200: ok }), ...response };
  for (const status of DOOR_STATUSES) all[status] ??= error;
  return Object.fromEntries(
    Object.entries(all).map(([status, answer]) => [status, { description: MEANINGS[status] ?? 'Answer', ...answer }]),
  );
}

function okOf(produces: readonly string[] | undefined): object {
  if (produces === undefined) return { type: 'object', additionalProperties: true };
  return { content: Object.fromEntries(produces.map((type) => [type, { schema: { type: 'string' } }])) };
}
