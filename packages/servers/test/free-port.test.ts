/**
 * Checks that ports which are used later than they are found are none that an outgoing connection may be given meanwhile.
 * It must not keep a port open.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { freePort, freePortNear, isPortFree } from '../src/free-port.ts';

const RANGE = '/proc/sys/net/ipv4/ip_local_port_range';

it.skipIf(process.platform !== 'linux')('a free port lies below those of outgoing connections', async () => {
  const first = Number(readFileSync(RANGE, 'utf8').trim().split(/\s+/)[0]);
  const found = await Promise.all(Array.from({ length: 50 }, () => freePort()));
  expect(found.filter((port) => port < 1024 || port >= first)).toEqual([]);
  expect(new Set(found).size).toBeGreaterThan(40);
});

it('the port that is wanted is taken where it is free', async () => {
  const wanted = await freePort();
  expect(await isPortFree(wanted)).toBe(true);
  expect(await freePortNear(wanted)).toBe(wanted);
});
