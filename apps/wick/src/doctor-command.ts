/**
 * The command `wick doctor`: one look at the machine, the servers, the apps and the data.
 * It must not change anything, nor stop at the first thing that is broken.
 */
import { readOptions } from './command-options.ts';
import { checkApps } from './doctor-apps.ts';
import { checkDatabase } from './doctor-database.ts';
import { checkMachine } from './doctor-machine.ts';
import { checkRedis } from './doctor-redis.ts';
import { formatHealth, isHealthy, ok } from './health-check.ts';
import { findPlace } from './running-place.ts';

/** Looks at everything at the same time. Shape: 0 when nothing is broken, else 1. */
export async function runDoctor(args: string[]): Promise<number> {
  const options = readOptions('doctor', args);
  const place = await findPlace(options.text('api'));
  const found = await Promise.all([
    checkMachine(),
    checkRedis(place.redisUrl),
    checkDatabase(place.databaseUrl, Date.now()),
    checkApps(place),
  ]);
  const checks = [ok('found', place.how), ...found.flat()];
  const healthy = isHealthy(checks);
  console.log(options.flag('json') ? JSON.stringify({ healthy, checks }, null, 2) : formatHealth(checks));
  return healthy ? 0 : 1;
}
