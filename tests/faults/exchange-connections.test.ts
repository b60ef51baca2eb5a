/**
 * The exchange's sockets: dropped, refused, shut down, flooded with pings, silent, and subscriptions that go astray.
 * It must judge by the exchange's tape and by what the exchange saw of its client.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ExchangeView, viewExchange } from './exchange-view.ts';
import { type FaultMarket, startFaultMarket } from './fault-market.ts';
import { recordFault } from './fault-report.ts';
import { judge, SOUND } from './verdict.ts';

const SEED = 301;
const SYMBOLS = ['BTCUSDT', 'ETHUSDT'];
const SILENCE_MAX_S = 4;
/** What one address may do in five minutes at the exchange. */
const CONNECTS_MAX = 300;

const [first] = await engines();

describe.skipIf(first === undefined)('connections to the exchange', () => {
  let market: FaultMarket;

  beforeAll(async () => {
    if (first === undefined) return;
    // The exchange's clock for pings runs faster, so that silence is found within seconds; ages are of no matter here.
    const exchange = { EXCHANGE_CLOCK_SCALE: '20' };
    const ingest = { SILENCE_MAX_S: String(SILENCE_MAX_S), QUIET_ASK_S: '2' };
    const options = { engine: first, seed: SEED, symbols: SYMBOLS, rate: 3_000, api: false };
    market = await startFaultMarket({ ...options, env: { exchange, ingest } });
    await market.begin();
  }, 90_000);
  afterAll(() => market?.close());

  const view = (): Promise<ExchangeView> => viewExchange(market);
  const reconnects = (reason: string) =>
    market.metric(market.app('ingest-1'), 'wick_ingest_reconnects_total', new RegExp(`reason="${reason}"`));
  const unobserved = async (): Promise<number> => {
    const [row] = await market.database.sql`select count(*)::int as ranges from unobserved where from_ts > '-infinity'`;
    return row?.ranges ?? 0;
  };
  const listening = async () => {
    const clients = (await view()).clients;
    return clients.length === 1 && clients[0]?.streams === 2 * SYMBOLS.length;
  };
  const whenListening = () => market.waitUntil('one connection carries every stream', listening, 60_000);

  it('row 15: serverShutdown, raw and wrapped, never carried out or soon: the new socket is up first, no quote is missed', {
    timeout: 120_000,
  }, async () => {
    const before = { unobserved: await unobserved(), opened: (await view()).connections.opened };
    const shutdowns = [{ form: 'raw' }, { form: 'wrapped' }, { form: 'raw', closeAfterMs: 5_000 }];
    for (const [index, shutdown] of shutdowns.entries()) {
      await whenListening();
      await market.fault({ do: 'shutdown', ...shutdown });
      await market.waitUntil(
        'a new connection was opened and the old one left',
        async () => (await view()).connections.opened === before.opened + index + 1 && (await listening()),
        30_000,
      );
    }
    const verdict = await judge(market);
    expect(verdict).toMatchObject({ ...SOUND, unobservedQuotes: 0 });
    expect(await unobserved()).toBe(before.unobserved);
    recordFault({ row: 15, fault: 'serverShutdown, then never or soon', injected: shutdowns.length, ...verdict });
  });

  it('row 15: serverShutdown, then closed at once: the time between is recorded, every trade is repaired', {
    timeout: 120_000,
  }, async () => {
    await whenListening();
    await market.fault({ do: 'shutdown', closeAfterMs: 0 });
    await delay(500);
    await whenListening();
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    recordFault({ row: 15, fault: 'serverShutdown, closed at once', injected: 1, ...verdict });
  });

  it('row 16: a flood of pings is answered with their payloads, within five messages a second', {
    timeout: 60_000,
  }, async () => {
    const { opened } = (await view()).connections;
    await market.fault({ pingFloodPerS: 500 });
    await market.waitUntil('pongs came', async () => ((await view()).clients[0]?.pongs ?? 0) >= 8, 30_000);
    await market.fault({ pingFloodPerS: 0 });
    const after = await view();
    expect(after.clients).toMatchObject([{ strayPongs: 0 }]);
    expect(after.clients[0]?.messagesPerSMax).toBeLessThanOrEqual(5);
    expect(after.connections.opened).toBe(opened);
    recordFault({ row: 16, fault: 'ping flood', injected: 1 });
  });

  it('row 16: a symbol whose stream went silent is told from a quiet one: its trades come from the history, its quotes are unobserved', {
    timeout: 120_000,
  }, async () => {
    const newestOf = async (symbol: string): Promise<number> => {
      const [row] = await market.database.sql`select max(id)::float8 as id from trades where symbol = ${symbol}`;
      return row?.id ?? 0;
    };
    const beganMs = Date.now();
    await market.fault({ silentSymbols: ['ETHUSDT'] });
    await delay(500);
    const silentFrom = await newestOf('ETHUSDT');
    const isRepaired = async () => (await newestOf('ETHUSDT')) > silentFrom;
    await market.waitUntil('trades of the silent stream are stored', isRepaired, 60_000);
    await market.fault({ silentSymbols: [] });
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    const unheard = await market.database.sql`
      select symbol from unobserved where channel = 'quote' and from_ts > ${new Date(beganMs - 1_000)}`;
    expect(unheard.map((row) => row.symbol)).toContain('ETHUSDT');
    expect(unheard.map((row) => row.symbol)).not.toContain('BTCUSDT');
    recordFault({ row: 16, fault: 'one symbol silent', injected: 1, ...verdict });
  });

  it('row 16: a quiet market opens no gap and no connection while pings come; without pings the socket is given up', {
    timeout: 120_000,
  }, async () => {
    await whenListening();
    // The faults before this one left unobserved times of their own, in which the market may have sent quotes.
    const { unobservedQuotes } = await judge(market);
    const silent = await reconnects('silent');
    const { opened } = (await view()).connections;
    // Long enough for a slow machine to notice and to come back before the market does: what it missed then would be missing.
    const quietS = 7 * SILENCE_MAX_S;
    await market.fault({ do: 'surge', factor: 0, seconds: quietS });
    await delay((1.5 * SILENCE_MAX_S + 2) * 1000);
    expect((await view()).connections.opened).toBe(opened);
    await market.fault({ stopPings: true });
    await market.waitUntil('the silence was noticed', async () => (await reconnects('silent')) > silent, 60_000);
    await market.fault({ stopPings: false });
    const verdict = await judge(market);
    expect(verdict).toMatchObject({ ...SOUND, unobservedQuotes });
    recordFault({ row: 16, fault: 'no data and no ping', injected: 1, ...verdict });
  });

  it('row 14: dropped each second with every code, refused, answered with 4xx and 5xx: few and jittered connects, all trades', {
    timeout: 180_000,
  }, async () => {
    const before = (await view()).attemptsAtMs.length;
    const beganMs = Date.now();
    for (const closeCode of [1006, 1001, 1008]) {
      await market.fault({ dropEveryS: 1, closeCode });
      await delay(3_000);
    }
    await market.fault({ dropEveryS: 0, refuse: true });
    await market.fault({ do: 'drop', code: 1006 });
    await delay(4_000);
    await market.fault({ refuse: false });
    for (const upgradeStatus of [503, 404, 429, 418]) {
      await market.fault({ upgradeStatus, upgradeRetryAfterS: 1 });
      await market.fault({ do: 'drop', code: 1006 });
      await delay(1_500);
    }
    await market.fault({ do: 'reset' });
    const verdict = await judge(market, { deadlineMs: 120_000 });
    expect(verdict).toMatchObject(SOUND);
    const attempts = (await view()).attemptsAtMs.slice(before);
    const seconds = (Date.now() - beganMs) / 1000;
    const allowed = 20 + seconds / 1.5 + 1;
    expect(attempts.length).toBeGreaterThan(8);
    expect(attempts.length).toBeLessThanOrEqual(allowed);
    expect(20 + 300 / 1.5).toBeLessThan(CONNECTS_MAX);
    const waits = attempts.slice(1).map((atMs, i) => atMs - (attempts[i] as number));
    expect(new Set(waits).size).toBeGreaterThan(waits.length / 2);
    recordFault({ row: 14, fault: 'dropped, refused, 4xx, 5xx, 429, 418', injected: attempts.length, ...verdict });
  });
});
