/**
 * Checks the small pure parts of npm start: environments of the apps, ports, lines on the terminal.
 * It must not start an app.
 */
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { environmentOf, localUrl, type StartPlan } from '../src/app-environment.ts';
import { placeOf } from '../src/feed-place.ts';
import { choosePorts } from '../src/ports.ts';
import { isForTerminal } from '../src/start-apps.ts';
import { formatStatus } from '../src/status-line.ts';
import { subscribedStreams } from '../src/subscribed-streams.ts';
import { formatStep } from '../src/terminal.ts';

const ports = { exchange: 9443, ingest: 8081, aggregator: 8082, api: 8080 };
const plan = (feed: StartPlan['feed']): StartPlan => ({
  feed,
  place: placeOf(feed, 'ab12cd34'),
  redisUrl: 'redis://127.0.0.1:1',
  databaseUrl: 'postgres://127.0.0.1:2/x',
  ports,
  host: '127.0.0.1',
  options: { feed, replayFiles: ['/data/with space.gz'], speed: 'max' },
  given: {},
});

describe('the environment of an app', () => {
  it('leads to the simulated exchange unless the feed is live', () => {
    expect(environmentOf('ingest', plan('simulator'))).toMatchObject({
      FEED: 'simulator',
      REDIS_PREFIX: 'sim:',
      BINANCE_WS_URL: 'ws://127.0.0.1:9443',
      BINANCE_REST_URL: 'http://127.0.0.1:9443',
      RETENTION_DAYS: '1',
      REPLAY: '0',
    });
    expect(environmentOf('ingest', plan('binance'))).not.toHaveProperty('BINANCE_WS_URL');
  });

  it('of a replay names the symbols and channels that the recording holds', () => {
    const full = { ...plan('replay'), held: { symbols: ['BTCUSDT'], channels: ['trade', 'bookTicker'] } };
    expect(environmentOf('api', full)).toMatchObject({ SYMBOLS: 'BTCUSDT', CHANNELS: 'trade,bookTicker', REPLAY: '1' });
    expect(environmentOf('exchange', full)).toMatchObject({
      EXCHANGE_MODE: 'replay',
      EXCHANGE_REPLAY_FILES: '["/data/with space.gz"]',
      EXCHANGE_REPLAY_SPEED: 'max',
    });
  });

  it('names addresses that this machine can reach', () => {
    expect(localUrl(80, '0.0.0.0')).toBe('http://127.0.0.1:80');
    expect(localUrl(80, '::1')).toBe('http://[::1]:80');
  });
});

describe('ports', () => {
  it('a default that is taken moves, one that was asked for fails', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const taken = typeof address === 'object' && address ? address.port : 0;
    await expect(choosePorts({}, '127.0.0.1', taken)).rejects.toThrow(`Port ${taken} was asked for`);
    await expect(choosePorts({ API_PORT: String(taken) }, '127.0.0.1')).rejects.toThrow('is taken');
    server.close();
  });
});

describe('lines', () => {
  it('of the status survive missing parts', () => {
    expect(formatStatus({})).toContain('lag – ms · frame to candle – ms (p99 –) · – open gaps');
    expect(formatStatus({ gaps: { open: 0 }, problems: ['redis: gone'] })).toContain(
      '0 open gaps · PROBLEM redis: gone',
    );
    const halts = [1, 2, 3].map((n) => ({ symbol: `S${n}`, status: 'HALT' }));
    expect(formatStatus({ notTrading: { count: 5, symbols: halts } })).toContain(
      ' · not trading: S1 (HALT), S2 (HALT), S3 (HALT) and 2 more',
    );
    const line = formatStatus({ feed: 'simulator', ticksPerSecond: 250.4, shards: [{ lagMs: 3 }, { lagMs: 12.6 }] });
    expect(line).toContain('SIMULATED market · 250 ticks/s · lag 13 ms');
  });

  it('of a step hold no colour codes', () => {
    expect(formatStep(1234, 'api', 'http://127.0.0.1:8080')).toBe('   1.2 s  api         http://127.0.0.1:8080');
  });

  it('of an app reach the terminal when they are errors or no JSON, and all of them at debug', () => {
    expect(isForTerminal('{"level":30,"msg":"fine"}', 'info')).toBe(false);
    expect(isForTerminal('{"level":50,"msg":"bad"}', 'info')).toBe(true);
    expect(isForTerminal('Error: thrown', 'info')).toBe(true);
    expect(isForTerminal('{"level":30,"msg":"fine"}', 'trace')).toBe(true);
  });

  it('name the streams as the venue does', () => {
    expect(subscribedStreams(['BTCUSDT'], ['trade', 'ticker_1d'])).toEqual(['btcusdt@trade', 'btcusdt@ticker']);
  });
});
