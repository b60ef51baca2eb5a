/**
 * A clock that is set ahead by ten minutes and back while everything runs, as after a suspended machine: what came too early is asked again.
 * It must judge by the exchange's tape. The judge of the other fault tests asks for what was sent, and the time that a clock skips was not.
 */
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plain } from '../whole-path/market-client.ts';
import { type FaultMarket, startFaultMarket } from './fault-market.ts';
import { recordFault } from './fault-report.ts';

const SEED = 361;
const JUMP_S = 600;
/** Few enough that the missing ten minutes are read as single trades, which are compared one by one. */
const RATE = 240;

const [first] = await engines();

describe.skipIf(first === undefined)('a clock that jumps', () => {
  let market: FaultMarket;
  let begunMs: number;

  beforeAll(async () => {
    if (first === undefined) return;
    market = await startFaultMarket({ engine: first, seed: SEED, symbols: ['BTCUSDT'], rate: RATE, api: false });
    await market.begin();
    begunMs = Date.now();
  }, 90_000);
  afterAll(() => market?.close());

  type Counts = Record<'ahead' | 'early' | 'open' | 'quarantined' | 'duplicate' | 'clockAheadS', number>;
  const read = async (): Promise<Counts> => {
    const [row] = await market.database.sql`
      select (select count(*)::int from trades where ts > now() + ${JUMP_S / 2} * interval '1 second') as ahead,
        (select coalesce(sum(count), 0)::int from quarantine where reason = 'future_time') as early,
        (select count(*)::int from gaps where state = 'open') as open,
        (select count(*)::int from gaps where state = 'quarantined') as quarantined,
        (select coalesce(sum(duplicate), 0)::int from counters where channel = 'trade') as duplicate,
        (select extract(epoch from max(clock) - now())::float8 from shard_offsets) as "clockAheadS"`;
    return row as Counts;
  };
  const stored = async (): Promise<string[]> => {
    const rows = await market.database.sql`
      select id || ' ' || ts_to_us(ts) || ' ' || trim_scale(price) || ' ' || trim_scale(quantity) as text from trades order by id`;
    return rows.map((row) => row.text as string);
  };
  const sent = async (): Promise<string[]> => {
    const untilMs = Date.now() + 2 * JUMP_S * 1000;
    const trades = await market.tape('BTCUSDT', 'trade', begunMs - 60_000, untilMs);
    return trades.map(({ id, timeUs, price, quantity }) => {
      return `${id} ${Math.floor(timeUs / 1000) * 1000} ${plain(price)} ${plain(quantity)}`;
    });
  };

  it('row 23: ten minutes ahead: trades count as early until the clock is compared again, and none is lost; then ten minutes back', {
    timeout: 240_000,
  }, async () => {
    await market.fault({ do: 'jump', seconds: JUMP_S });
    const jumpedMs = Date.now();
    await market.waitUntil('some came too early', async () => (await read()).early > 0, 30_000);
    expect((await read()).clockAheadS).toBeLessThan(JUMP_S / 2);
    const isMended = async () => (await read()).ahead > 10 && (await read()).open === 0;
    await market.waitUntil('the clock was believed, and every gap is filled', isMended, 120_000);
    const recoveryMs = Date.now() - jumpedMs;
    const ahead = await stored();
    const tape = await sent();
    expect(ahead.length).toBeGreaterThan((JUMP_S / 60) * RATE * 0.8);
    expect(tape.slice(tape.indexOf(ahead[0] ?? '')).slice(0, ahead.length)).toEqual(ahead);
    const { quarantined, duplicate } = await read();
    expect(quarantined).toBe(0);

    await market.fault({ do: 'jump', seconds: -JUMP_S });
    const isHeard = async () => (await read()).duplicate > duplicate + 20;
    await market.waitUntil('what is sent a second time is known', isHeard, 120_000);
    const back = await stored();
    expect(back.slice(0, ahead.length)).toEqual(ahead);
    expect(new Set(back).size).toBe(back.length);
    expect(await read()).toMatchObject({ open: 0, quarantined: 0 });
    recordFault({
      row: 23,
      fault: 'clock ten minutes ahead, then back',
      injected: 2,
      sent: back.length,
      lost: 0,
      twice: 0,
      recoveryMs,
    });
  });
});
