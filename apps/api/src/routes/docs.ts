/**
 * `/openapi.json` and `/docs`: the document made from the schemas that validate, and a page that shows it.
 * It must not describe a call by hand that has a schema, nor load anything from elsewhere.
 */
import type { FastifyInstance } from 'fastify';

/** What the document says of itself. */
export const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'Wickstream',
    version: '0.1.0',
    description:
      'Exact, complete and live candles. Prices and quantities are decimal texts; times are ms since the epoch, UTC. `WS /v1/stream` pushes candles: send {"op":"subscribe","id":1,"channel":"candles","symbol":"BTCUSDT","interval":"5m","hop":"1m"}.',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
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

/** Adds the document; the page is one of the static files. */
export function addDocsRoutes(app: FastifyInstance): void {
  const schema = { tags: ['status'], summary: 'This document' };
  app.get('/openapi.json', { schema }, () => app.swagger());
}
