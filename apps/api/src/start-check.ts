/**
 * The checks at start-up that the servers let this api in, and that the database is one this code can read.
 * It must not wait for a server that is down: the api answers from memory meanwhile.
 */

import { shardKeys } from '@wickstream/shared/names';
import { redisRefusalOf } from '@wickstream/shared/redis-refusal';
import { checkSchema, SchemaError } from '@wickstream/sql/engine';
import { databaseRefusalOf } from '@wickstream/sql/refusal';
import postgres from 'postgres';
import { connectRedis } from './redis-connection.ts';
import { readLastId } from './stream-id.ts';

const CONNECT_TIMEOUT_S = 5;
/** A Redis that is loading lets nobody in yet; the service waits for it, this check does not. Units: ms. */
const REDIS_CHECK_MAX_MS = 3_000;

/** Checks the schema once. Errors: SchemaError, DatabaseRefusedError; a server that cannot be reached is none. */
export async function checkDatabase(databaseUrl: string): Promise<void> {
  const sql = postgres(databaseUrl, {
    max: 1,
    connect_timeout: CONNECT_TIMEOUT_S,
    fetch_types: false,
    onnotice: () => undefined,
  });
  try {
    // A login of the api's own may read as this role and not by itself; a database without a schema has no role either.
    await sql.unsafe('set role wick_reader').catch(() => undefined);
    await checkSchema(sql);
  } catch (error) {
    if (error instanceof SchemaError) throw error;
    const refusal = databaseRefusalOf(error);
    if (refusal !== undefined) throw refusal;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Asks Redis once for what this api reads. Errors: RedisRefusedError; a server that cannot be reached is none. */
export async function checkRedis(redisUrl: string, prefix: string): Promise<void> {
  const settled = Promise.withResolvers<unknown>();
  const connection = connectRedis(redisUrl, 'commands', settled.resolve);
  connection.once('ready', () => {
    readLastId(connection, shardKeys(prefix, 0).bars).then(() => settled.resolve(undefined), settled.resolve);
  });
  const timer = setTimeout(settled.resolve, REDIS_CHECK_MAX_MS, undefined);
  const refusal = redisRefusalOf(await settled.promise);
  clearTimeout(timer);
  connection.disconnect();
  if (refusal !== undefined) throw refusal;
}
