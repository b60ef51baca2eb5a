/**
 * The api as a value: a Fastify app with all routes, limits and error bodies, from what it is given.
 * It must not read the environment, open connections or listen.
 */
import swagger from '@fastify/swagger';
import fastify, { type FastifyInstance } from 'fastify';
import type { Access, Need } from './access.ts';
import { ApiError, apiErrorOf, bodyOf, invalidParameter } from './api-error.ts';
import type { CandleAnswers } from './candle-answer.ts';
import type { LiveMemory } from './live-memory.ts';
import type { Metrics } from './metrics.ts';
import { SWAGGER } from './openapi.ts';
import type { OriginCheck } from './origin-check.ts';
import type { Reads } from './reads.ts';
import { addBinanceRoutes, type BinanceParts } from './routes/binance.ts';
import { addCandleRoutes } from './routes/candles.ts';
import { addDocsRoutes } from './routes/docs.ts';
import { addFeedRoutes } from './routes/feed.ts';
import { addJobRoutes } from './routes/jobs.ts';
import { addPageRoutes } from './routes/page.ts';
import { addStatusRoutes } from './routes/status.ts';
import { addStreamRoute } from './routes/stream.ts';
import { addSymbolRoutes } from './routes/symbols.ts';
import { addTickRoutes } from './routes/ticks.ts';
import { addUdfRoutes } from './routes/udf.ts';
import { addSecurityHeaders } from './security-headers.ts';
import type { StatusReader } from './status.ts';
import type { TradingStatuses } from './trading-statuses.ts';
import type { Upstream } from './upstream.ts';

/** A whole request has to come in this time. Units: ms. */
export const REQUEST_TIMEOUT_MS = 10_000;

/** How often connections are looked through for slow requests. Units: ms. */
export const REQUEST_CHECK_MS = 1_000;

/** Most connections at once, streams included; one more is closed unheard. */
export const SOCKETS_MAX = 16_000;

/** A connection without any traffic is closed after this. Units: ms. */
export const CONNECTION_TIMEOUT_MS = 30_000;

/** Largest request body; no call needs one. Units: bytes. */
export const BODY_BYTES_MAX = 16 * 1024;

/** Longest URL that is read. Units: bytes, all headers included. */
export const HEADER_BYTES_MAX = 16 * 1024;

/** What the app needs. */
export type AppParts = {
  readonly memory: LiveMemory;
  readonly reads: Reads;
  readonly answers: CandleAnswers;
  readonly status: StatusReader;
  readonly metrics: Metrics;
  readonly ingest: Upstream;
  readonly trading: TradingStatuses;
  readonly access: Access;
  readonly origins: OriginCheck;
  readonly venue: string;
  readonly binance: Pick<BinanceParts, 'klines' | 'aggregates' | 'dayTickers' | 'nowUs'>;
  readonly onError: (error: unknown) => void;
};

/** A route of the app; hidden ones are files of the page. */
export type AppRoute = { readonly method: string; readonly path: string; readonly hidden: boolean };

/** Builds the app, and lists its routes. Limits: the constants above. Errors: answered as `{error: {code, message, param?}}`. */
export async function buildApp(parts: AppParts): Promise<{ app: FastifyInstance; routes: readonly AppRoute[] }> {
  const app = fastify({
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    keepAliveTimeout: 20_000,
    bodyLimit: BODY_BYTES_MAX,
    http: {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: REQUEST_CHECK_MS,
    },
    forceCloseConnections: true,
    routerOptions: { querystringParser: readQuery, maxParamLength: 200 },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true, allErrors: false, verbose: true } },
  });
  app.server.maxConnections = SOCKETS_MAX;
  answerErrors(app, parts.onError);
  addSecurityHeaders(app, parts.origins);
  // Hooks that wait for nothing are given no promise: each would cost every request a turn of the queue.
  app.addHook('onRequest', (request, _reply, done) => {
    const { access: need = 'read' } = request.routeOptions.config as { access?: Need };
    parts.access.admit(request.raw, need);
    done();
  });
  // The validator takes "Infinity" and 1e400 for integers, and then compares them with no limit.
  app.addHook('preHandler', ({ query }, _reply, done) => {
    for (const [name, value] of Object.entries(query as Record<string, unknown>)) {
      if (typeof value === 'number' && !Number.isFinite(value)) throw invalidParameter(name, `${name} must be finite`);
    }
    done();
  });
  const routes = listRoutes(app);
  await app.register(swagger, SWAGGER);
  parts.metrics.attach(app);
  addDocsRoutes(app);
  addPageRoutes(app);
  addCandleRoutes(app, parts.answers, parts.venue);
  addStreamRoute(app);
  addTickRoutes(app, parts.reads, parts.answers, parts.venue);
  addSymbolRoutes(app, parts.memory, parts.reads, parts.answers, parts.trading, parts.venue);
  addFeedRoutes(app, parts.ingest);
  addBinanceRoutes(app, { ...parts, ...parts.binance });
  addUdfRoutes(app, { ...parts, nowUs: parts.binance.nowUs });
  addJobRoutes(app, parts.reads, parts.venue);
  addStatusRoutes(app, parts.status, parts.memory);
  return { app, routes };
}

function listRoutes(app: FastifyInstance): readonly AppRoute[] {
  const routes: AppRoute[] = [];
  app.addHook('onRoute', ({ method, url, schema }) => {
    const { hide } = (schema ?? {}) as { hide?: boolean };
    for (const one of [method].flat()) {
      if (one !== 'HEAD') routes.push({ method: one.toLowerCase(), path: url, hidden: hide === true });
    }
  });
  return routes;
}

// A parameter that is given empty is one that is not given; the first of several counts.
function readQuery(text: string): Record<string, string> {
  const query: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) if (value !== '') query[name] ??= value;
  return query;
}

function answerErrors(app: FastifyInstance, onError: (error: unknown) => void): void {
  app.setErrorHandler((thrown, _request, reply) => {
    const error = apiErrorOf(thrown);
    if (error.status === 500) onError(thrown);
    if (error.retryAfterS !== undefined) reply.header('retry-after', error.retryAfterS);
    return reply.status(error.status).send(bodyOf(error));
  });
  app.setNotFoundHandler((_request, reply) => {
    return reply.status(404).send(bodyOf(new ApiError(404, 'not_found', 'there is no such call; see /docs')));
  });
}
