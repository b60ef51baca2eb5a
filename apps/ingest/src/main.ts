/**
 * The ingest process: reads the environment, starts the app, ends it cleanly on a signal.
 * It must hold no behaviour besides starting and ending.
 */
import { readIngest } from '@wickstream/shared/environment';
import { createLogger, redactUrl } from '@wickstream/shared/log';
import { endOnSignals } from '@wickstream/shared/process-end';
import { createIngestApp } from './app.ts';
import { isSymbol } from './venue.ts';

async function main(): Promise<void> {
  const environment = readIngest();
  const log = createLogger('ingest', environment.logLevel);
  const { venue, feed, channels, symbols, wsUrl, redisPrefix, producer } = environment;
  log.info(
    { venue, feed, channels, symbols, wsUrl, redis: redactUrl(environment.redisUrl), redisPrefix, producer },
    'starting',
  );
  const unusable = symbols.find((symbol) => !isSymbol(symbol));
  if (unusable !== undefined)
    throw new Error(`SYMBOLS holds "${unusable}", which is no symbol; name them as the venue does, such as BTCUSDT`);
  const app = createIngestApp(environment, log, fail);
  endOnSignals(log, () => app.close());

  const address = new URL(await app.http.listen({ host: environment.host, port: environment.port }));
  await app.start();
  log.info({ port: Number(address.port) }, 'listening');
}

function fail(message: string): void {
  process.stderr.write(`ingest ended: ${message}\n`);
  process.exit(1);
}

main().catch((error: unknown) => fail(error instanceof Error ? error.message : String(error)));
