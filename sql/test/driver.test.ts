/**
 * What the database driver makes of a statement that fails after its first rows: the next result of its connection must be whole.
 * It must use nothing but the driver, as every app has it: the mend is a patch of one line.
 */
import { engines } from '@wickstream/servers/fixture';
import postgres from 'postgres';
import { expect, it } from 'vitest';

for (const engine of await engines()) {
  it(`a result after one that failed half-way has no holes on ${engine.name}`, async () => {
    const sql = postgres(engine.adminUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
    try {
      const failed = sql`select i, 1 / (4 - i) as share from generate_series(1, 10) i`;
      await expect(failed).rejects.toMatchObject({ code: '22012' });
      const next = await sql`select i from generate_series(1, 5) i`;
      expect([...next]).toEqual([1, 2, 3, 4, 5].map((i) => ({ i })));
      const [one] = await sql`select 7 as i`;
      expect(one).toEqual({ i: 7 });
    } finally {
      await sql.end({ timeout: 1 });
    }
  });
}
