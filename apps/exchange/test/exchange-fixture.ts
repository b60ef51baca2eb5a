/**
 * Simulators and clients for one test file, all closed after each test.
 * It must start nothing by itself.
 */
import { afterEach } from 'vitest';
import { type Exchange, type ExchangeOptions, startExchange } from '../src/app.ts';
import { connect, type MarketClient } from './market-client.ts';

/** Starts exchanges (two symbols, 6,000 trades a minute unless told otherwise) and opens clients. */
export type Fixture = {
  start(options?: Partial<ExchangeOptions>): Promise<Exchange>;
  open(exchange: Exchange, path: string, options?: object): Promise<MarketClient>;
};

/** A fixture; call it once in a test file. */
export function createFixture(): Fixture {
  const running: Exchange[] = [];
  const clients: MarketClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await Promise.all(running.splice(0).map((exchange) => exchange.close()));
  });
  return {
    async start(options = {}) {
      const base = { mode: 'simulator', seed: 1, rate: 6000, symbols: ['BTCUSDT', 'ETHUSDT'] };
      const exchange = await startExchange({ ...base, ...options } as ExchangeOptions);
      running.push(exchange);
      return exchange;
    },
    async open(exchange, path, options = {}) {
      const client = await connect(exchange.port, path, options);
      clients.push(client);
      return client;
    },
  };
}
