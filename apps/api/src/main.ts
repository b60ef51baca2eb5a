/**
 * The api as a process: reads the environment, starts the service, ends it on SIGTERM and SIGINT.
 * It must hold no logic of its own.
 */
import { EnvironmentError, readApi } from '@wickstream/shared/environment';
import { createLogger } from '@wickstream/shared/log';
import { endOnSignals } from '@wickstream/shared/process-end';
import { RedisRefusedError } from '@wickstream/shared/redis-refusal';
import { SchemaError } from '@wickstream/sql/engine';
import { DatabaseRefusedError } from '@wickstream/sql/refusal';
import { startApiService } from './service.ts';
import { checkDatabase, checkRedis } from './start-check.ts';

async function main(): Promise<void> {
  const environment = readApi();
  const log = createLogger('api', environment.logLevel);
  await checkDatabase(environment.databaseUrl);
  await checkRedis(environment.redisUrl, environment.redisPrefix);
  const service = await startApiService(environment, log);
  log.info({ port: service.port, host: environment.host }, 'listening');
  endOnSignals(log, () => service.close());
}

main().catch((error: unknown) => {
  const isOurs = [EnvironmentError, SchemaError, DatabaseRefusedError, RedisRefusedError].some(
    (kind) => error instanceof kind,
  );
  const known = isOurs || (error as { code?: string }).code === 'EADDRINUSE';
  console.error(known ? (error as Error).message : error);
  process.exit(1);
});
