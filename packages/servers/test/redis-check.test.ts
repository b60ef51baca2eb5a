/**
 * Checks what is said of a Redis that was given to us.
 * It must only ask servers of its own.
 */
import { expect, it } from 'vitest';
import { freePort, startRedis } from '../src/fixture.ts';
import { checkRedis } from '../src/redis-check.ts';

it('names a server that can be used, and says the mend for one that cannot, without its password', async () => {
  const server = await startRedis({ args: ['--requirepass', 'right'] });
  expect(await checkRedis(`redis://:right@127.0.0.1:${server.port}`)).toMatch(/^Redis \d/);
  const wrong = checkRedis(`redis://me:secret@127.0.0.1:${server.port}`);
  await expect(wrong).rejects.toThrow(/cannot be used \(.*WRONGPASS.*unset REDIS_URL/);
  await expect(wrong).rejects.not.toThrow(/secret/);
  await server.close();
  await expect(checkRedis(`redis://127.0.0.1:${await freePort()}`)).rejects.toThrow(/ECONNREFUSED.*unset REDIS_URL/);
});
