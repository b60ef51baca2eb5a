/**
 * The HTTP face of ingest: commands, status, health and metrics.
 * It must answer at once; whatever takes time happens behind it.
 */
import { covers, createApiKeys } from '@wickstream/shared/api-keys';
import type { SymbolStatus } from '@wickstream/shared/trading-status';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { AddResult } from './venue-feed.ts';

/** What the routes call. Shape: `status` is any JSON; `metrics` the text for Prometheus. */
export type HttpOptions = {
  readonly apiKeys: readonly string[];
  readonly start: () => void;
  readonly stop: () => void;
  readonly state: () => string;
  readonly addSymbol: (symbol: string) => Promise<AddResult>;
  readonly removeSymbol: (symbol: string) => boolean;
  readonly status: () => object;
  readonly symbols: () => readonly SymbolStatus[];
  /** Why ingest is not ready; undefined when it is. */
  readonly notReady: () => string | undefined;
  readonly metrics: () => Promise<string>;
};

/** Largest request body. Units: bytes. */
export const BODY_BYTES_MAX = 4096;

const TIMEOUT_MS = 10_000;

const ADD_ERRORS: Readonly<
  Record<Exclude<AddResult, 'added' | 'known'>, { status: number; code: string; message: string }>
> = {
  invalid: { status: 400, code: 'invalid_symbol', message: 'symbol must be a name of the venue, such as BTCUSDT' },
  unknown: {
    status: 404,
    code: 'unknown_symbol',
    message: 'the venue does not know this symbol; see its exchangeInfo',
  },
  too_many: {
    status: 429,
    code: 'too_many_symbols',
    message: 'this ingest holds as many symbols as it may; remove one first',
  },
};

const SYMBOL_BODY = {
  type: 'object',
  required: ['symbol'],
  properties: { symbol: { type: 'string', minLength: 1, maxLength: 100 } },
} as const;

/** Creates the server, not yet listening. Errors: every error is `{error: {code, message, param?}}`. Limits: BODY_BYTES_MAX, 10 s a request. */
export function createHttp(options: HttpOptions): FastifyInstance {
  const http = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: TIMEOUT_MS,
    connectionTimeout: TIMEOUT_MS,
    // An end does not wait for clients that keep their connection.
    forceCloseConnections: true,
    logger: false,
  });
  http.setErrorHandler(sendError);
  http.setNotFoundHandler((_request, reply) => fail(reply, 404, 'not_found', 'there is no such call; see GET /status'));
  addHealthRoutes(http, options);
  http.register(async (guarded) => {
    guarded.addHook('onRequest', createGuard(options.apiKeys));
    addControlRoutes(guarded, options);
  });
  return http;
}

function addHealthRoutes(http: FastifyInstance, options: HttpOptions): void {
  http.get('/healthz', () => ({ status: 'ok', state: options.state() }));
  // As open as health: the api, which keeps no key of its own, reads it.
  http.get('/symbols', () => ({ symbols: options.symbols() }));
  http.get('/readyz', (_request, reply) => {
    const reason = options.notReady();
    return reason === undefined ? { status: 'ready' } : fail(reply, 503, 'not_ready', reason);
  });
  http.get('/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await options.metrics()),
  );
}

function addControlRoutes(http: FastifyInstance, options: HttpOptions): void {
  http.post('/start', () => {
    options.start();
    return { state: options.state() };
  });
  http.post('/stop', () => {
    options.stop();
    return { state: options.state() };
  });
  http.get('/status', () => options.status());
  http.post<{ Body: { symbol: string } }>('/symbols', { schema: { body: SYMBOL_BODY } }, async (request, reply) => {
    const symbol = request.body.symbol.toUpperCase();
    const result = await options.addSymbol(symbol);
    if (result === 'added' || result === 'known')
      return reply.code(result === 'added' ? 201 : 200).send({ symbol, result });
    const { status, code, message } = ADD_ERRORS[result];
    return fail(reply, status, code, message, 'symbol');
  });
  http.delete<{ Params: { symbol: string } }>('/symbols/:symbol', (request, reply) => {
    const symbol = request.params.symbol.toUpperCase();
    if (options.removeSymbol(symbol)) return { symbol, result: 'removed' };
    return fail(reply, 404, 'unknown_symbol', 'this symbol is not recorded here; see GET /status', 'symbol');
  });
}

function createGuard(apiKeys: readonly string[]) {
  const keys = createApiKeys(apiKeys);
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    // No page talks to ingest; one that does was made to, by somebody else's page in a browser on this machine.
    if (request.headers.origin !== undefined) {
      return fail(reply, 403, 'origin_refused', 'pages may not call ingest; call the api, which passes on');
    }
    if (!keys.isOn) return undefined;
    const verdict = keys.judge(request.headers.authorization);
    if (verdict.state === 'absent' || verdict.state === 'malformed') {
      return fail(reply, 401, 'key_missing', 'this call needs the header Authorization: Bearer <key>');
    }
    if (verdict.state !== 'good') return fail(reply, 403, 'key_unknown', 'this key is not one of API_KEYS');
    if (covers(verdict.scope, request.method === 'GET' ? 'read' : 'control')) return undefined;
    return fail(reply, 403, 'key_scope', 'this key may read only; use one with the scope control');
  };
}

function sendError(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const status = error.statusCode ?? 500;
  if (status >= 500) return fail(reply, 500, 'internal', 'the call failed; see the log');
  const code = status === 413 ? 'too_large' : error.validation ? 'invalid_parameter' : 'bad_request';
  const param = error.validation?.[0]?.instancePath.slice(1) || (error.validation ? 'symbol' : undefined);
  return fail(reply, status === 413 ? 413 : 400, code, error.message, param);
}

function fail(reply: FastifyReply, status: number, code: string, message: string, param?: string): FastifyReply {
  if (status === 429) reply.header('retry-after', '60');
  return reply.code(status).send({ error: { code, message, ...(param !== undefined && { param }) } });
}
