/**
 * The aggregator process: reads the environment, starts the app, ends it cleanly on a signal.
 * It must hold no behaviour besides starting and ending.
 */
import { readAggregator } from '@wickstream/shared/environment';
import { createLogger, redactUrl } from '@wickstream/shared/log';
import { endOnSignals } from '@wickstream/shared/process-end';
import { startAggregatorApp } from './app.ts';

async function main(): Promise<void> {
  const environment = readAggregator();
  const log = createLogger('aggregator', environment.logLevel);
  const { redisUrl, databaseUrl, redisPrefix, shards } = environment;
  log.info({ redis: redactUrl(redisUrl), database: redactUrl(databaseUrl), redisPrefix, shards }, 'starting');
  const app = await startAggregatorApp(environment, log);
  endOnSignals(log, () => app.close());

  const address = new URL(await app.http.listen({ host: environment.host, port: environment.port }));
  log.info({ port: Number(address.port) }, 'listening');
}

main().catch((error: unknown) => {
  process.stderr.write(`aggregator ended: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
