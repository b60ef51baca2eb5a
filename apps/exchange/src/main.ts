/**
 * The process of the simulated exchange: environment in, one exchange, signals out.
 * It must only wire; the exchange itself is in `app.ts`.
 */
import { EnvironmentError, type ExchangeEnvironment, readExchange } from '@wickstream/shared/environment';
import { createLogger } from '@wickstream/shared/log';
import { endOnSignals } from '@wickstream/shared/process-end';
import { type ExchangeOptions, startExchange } from './app.ts';
import { RecordingError } from './recording-files.ts';

function optionsOf(env: ExchangeEnvironment): ExchangeOptions {
  const { host, port, clockScale } = env;
  if (env.mode === 'simulator') {
    const { seed, rate, symbols, clockOffsetMs } = env;
    return { mode: 'simulator', host, port, clockScale, clockOffsetMs, seed, rate, symbols };
  }
  if (env.replayFiles.length === 0) {
    throw new EnvironmentError('EXCHANGE_REPLAY_FILES names no file; set it to a JSON array of paths');
  }
  return {
    mode: 'replay',
    host,
    port,
    clockScale,
    files: env.replayFiles,
    speed: env.replaySpeed,
    symbol: env.replaySymbol,
  };
}

async function main(): Promise<void> {
  const env = readExchange();
  const log = createLogger('exchange', env.logLevel);
  const exchange = await startExchange(optionsOf(env));
  log.info({ port: exchange.port, mode: env.mode }, 'listening');
  endOnSignals(log, () => exchange.close());
}

try {
  await main();
} catch (error) {
  const known = error instanceof EnvironmentError || error instanceof RecordingError || error instanceof RangeError;
  const busy = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  const text = busy
    ? 'EXCHANGE_PORT is taken by another program; choose another one or 0'
    : String((error as Error).message);
  process.stderr.write(`exchange: ${known || busy ? text : ((error as Error).stack ?? text)}\n`);
  process.exit(1);
}
