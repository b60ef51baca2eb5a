/**
 * A take that has to wait or to work for long: it is not given up while it goes on, and a stop does not wait for it.
 * It must hold the take back in the database, where a batch still in flight or a busy disk would.
 */
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, STATEMENT_TIMEOUT_MS } from '../src/store/store.ts';
import { createProducer, START_US, tradeOf } from './producer.ts';
import { createRig, type Rig, until } from './rig.ts';

const [engine] = await engines();
if (engine === undefined) throw new Error('no engine');

describe(`a take that is held back on ${engine.name}`, () => {
  const producer = createProducer('ingest-1');
  let rig: Rig;
  beforeAll(async () => {
    rig = await createRig(engine);
  });
  afterAll(() => rig.close());

  const send = async (id: number): Promise<void> => {
    await rig.add('AAAUSDT', producer.entry([tradeOf('AAAUSDT', id, START_US + id * 1000)], START_US + id * 1000));
  };
  const longestMs = async (): Promise<number> => {
    const [row] = await rig.database.sql`
      select coalesce(max(extract(epoch from clock_timestamp() - query_start)), 0)::float8 * 1000 as ms from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query like '%take_shard%'`;
    return row?.ms;
  };

  it('is left at once by a stop, and given more time than any other statement', async () => {
    const first = await rig.start();
    await send(1);
    await rig.whenStored();
    await first.kill9();
    const holding = connect(rig.database.url, undefined, 1);
    await holding`begin`;
    await holding`select from shard_offsets for update`;
    try {
      const stopped = await rig.start();
      await until(async () => (await longestMs()) > 0, 15_000, 'a take waited');
      await stopped.stop();
      expect(stopped.child.exitCode).toBe(0);
      const patient = await rig.start();
      await send(2);
      const longer = STATEMENT_TIMEOUT_MS + 500;
      await until(async () => (await longestMs()) > longer, 4 * longer, 'a take waited longer than a statement may');
      await holding`commit`;
      await rig.whenStored();
      expect(patient.logs().filter((line) => line.includes('taking the shard again'))).toEqual([]);
    } finally {
      await holding.end({ timeout: 0 });
    }
  });
});
