/**
 * The aggregator process: reads the environment, starts the app, ends it cleanly on a signal.
 * It must hold no behaviour besides starting and ending.
 */
import { readAggregator } from '@wickstream/shared/environment';
import { createLogger, redactUrl } from '@wickstream/shared/log';
import { startAggregatorApp } from './app.ts';

/** Longest time that an end may take before the process is ended hard. Units: ms. */
const END_MAX_MS = 9_000;

async function main(): Promise<void> {
  const environment = readAggregator();
  const log = createLogger('aggregator', environment.logLevel);
  const { redisUrl, databaseUrl, redisPrefix, shards } = environment;
  log.info({ redis: redactUrl(redisUrl), database: redactUrl(databaseUrl), redisPrefix, shards }, 'starting');
  const app = await startAggregatorApp(environment, log);

  let ending = false;
  const end = async (signal: string): Promise<void> => {
    if (ending) return;
    ending = true;
    log.info({ signal }, 'ending');
    setTimeout(() => process.exit(1), END_MAX_MS).unref();
    await app.close();
    log.info('ended');
    process.exit(0);
  };
  process.on('SIGTERM', () => void end('SIGTERM'));
  process.on('SIGINT', () => void end('SIGINT'));

  const address = new URL(await app.http.listen({ host: environment.host, port: environment.port }));
  log.info({ port: Number(address.port) }, 'listening');
}

main().catch((error: unknown) => {
  process.stderr.write(`aggregator ended: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
