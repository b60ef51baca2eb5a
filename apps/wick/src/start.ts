/**
 * The command `npm start`: everything from nothing to a running page, and back to nothing.
 * It must leave no process behind, however it ends.
 */
import { accessSync, constants } from 'node:fs';
import { readCommon, readIngest } from '@wickstream/shared/environment';
import { shardKeys } from '@wickstream/shared/names';
import { localUrl, type StartPlan } from './app-environment.ts';
import { endLeftoverApps } from './app-leftovers.ts';
import { chooseFeed, type FeedChoice } from './feed-choice.ts';
import { hashRecordings, placeOf } from './feed-place.ts';
import { type Running, takeLauncherLock } from './launcher-lock.ts';
import { choosePorts } from './ports.ts';
import { startApps } from './start-apps.ts';
import { readStartOptions, type StartOptions } from './start-options.ts';
import { openDatabase, openServers } from './start-servers.ts';
import { formatStatus, type Status } from './status-line.ts';
import { subscribedStreams } from './subscribed-streams.ts';
import { createTerminal, type Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';
import { listenForEnd } from './wait-for-end.ts';

const STATUS_EVERY_MS = 1_000;

/** Runs everything until Ctrl-C, SIGTERM or a failure. Errors: UsageError with the mend. */
export async function start(args: string[]): Promise<number> {
  const folder = process.env.INIT_CWD ?? process.cwd();
  const options = readStartOptions(args, process.env, folder);
  const terminal = createTerminal(process.stdout);
  const lock = await takeLauncherLock();
  const closers: (() => Promise<void>)[] = [];
  const ending = listenForEnd();
  try {
    await Promise.race([bringUp(options, terminal, closers, lock.publish), ending.asked]);
    return 0;
  } finally {
    terminal.close();
    if (closers.length > 0) terminal.step('stopping', 'the apps, then the servers');
    await closeAll(closers, ending.again);
    if (closers.length > 0) terminal.step('stopped', 'nothing of it runs any more');
    lock.release();
    ending.close();
  }
}

/** Runs `npm start -- --replay` with the files first: `wick replay FILE… [--speed N|max]`. */
export async function replay(args: string[]): Promise<number> {
  const [first, ...rest] = args;
  if (!first || first.startsWith('-')) throw new UsageError('Name the recordings: npm run wick -- replay FILE….', 2);
  return start(['--replay', first, ...rest]);
}

async function bringUp(
  options: StartOptions,
  terminal: Terminal,
  closers: (() => Promise<void>)[],
  publish: (facts: Omit<Running, 'pid'>) => void,
): Promise<never> {
  checkFiles(options.replayFiles);
  const common = readCommon();
  await endLeftoverApps();
  const ports = await choosePorts(process.env, common.host, options.port);
  const opening = openServers(process.env, terminal);
  // Registered before it is done: an end asked for meanwhile waits for it and closes what came of it.
  closers.push(() => opening.then((servers) => servers.close()).catch(() => undefined));
  const deciding = chooseFeed(options.feed, readVenueUrl());
  const [servers, choice] = await Promise.all([opening, deciding]);
  tellFeed(choice, terminal);
  const hash = choice.feed === 'replay' ? await hashRecordings(options.replayFiles, options.symbol) : '';
  const place = placeOf(choice.feed, hash);
  const databaseUrl = await openDatabase(servers, place, choice.feed === 'binance', terminal);
  const given = process.env;
  const redisUrl = servers.redis.url;
  const { feed } = choice;
  const plan: StartPlan = { feed, place, redisUrl, databaseUrl, ports, host: common.host, options, given };
  const abort = new AbortController();
  const starting = startApps(plan, terminal, common.logLevel, abort.signal);
  closers.unshift(() => {
    abort.abort();
    return starting.then((apps) => apps.stop()).catch(() => undefined);
  });
  const apps = await starting;
  const pageUrl = localUrl(ports.api, common.host);
  publish({ pageUrl, ...otherUrls(plan), redisUrl, databaseUrl, feed });
  tellStreams(apps.plan, common.shards, terminal);
  if (feed === 'simulator') tellFeed(choice, terminal);
  terminal.say(`\nOpen ${pageUrl}\n`);
  return Promise.race([apps.failed, showStatus(pageUrl, terminal)]);
}

function otherUrls({ feed, ports, host }: StartPlan): Pick<Running, 'ingestUrl' | 'aggregatorUrl' | 'exchangeUrl'> {
  return {
    ingestUrl: localUrl(ports.ingest, host),
    aggregatorUrl: localUrl(ports.aggregator, host),
    exchangeUrl: feed === 'binance' ? readVenueUrl() : localUrl(ports.exchange, host),
  };
}

function readVenueUrl(): string {
  return readIngest({ ...process.env, REDIS_URL: 'redis://unused' }).restUrl;
}

function checkFiles(files: string[]): void {
  for (const file of files) {
    try {
      accessSync(file, constants.R_OK);
    } catch (error) {
      throw new UsageError(`The recording ${file} cannot be read; check its path.`, 1, error);
    }
  }
}

function tellFeed(choice: FeedChoice, terminal: Terminal): void {
  if (choice.feed !== 'simulator') {
    terminal.step('feed', choice.feed === 'binance' ? 'Binance, live' : 'a recording, played by the exchange app');
    return;
  }
  const why = choice.reason ? `${choice.reason}.` : 'It was asked for.';
  terminal.say('  ************************************************************************');
  terminal.say('  *  THE MARKET IS SIMULATED: no price you will see is real.             *');
  terminal.say(`  *  ${why.padEnd(68)}*`);
  terminal.say('  ************************************************************************');
}

function tellStreams(plan: StartPlan, shards: number, terminal: Terminal): void {
  const held = plan.held ? { SYMBOLS: plan.held.symbols.join(','), CHANNELS: plan.held.channels.join(',') } : {};
  const { symbols, channels } = readIngest({ ...process.env, ...held, REDIS_URL: plan.redisUrl });
  terminal.step('subscribed', subscribedStreams(symbols, channels).join(' '));
  const keys = Array.from({ length: shards }, (_, shard) => shardKeys(plan.place.prefix, shard));
  terminal.step('streams', keys.flatMap((key) => [key.ticks, key.bars]).join(' '));
}

async function showStatus(pageUrl: string, terminal: Terminal): Promise<never> {
  for (;;) {
    terminal.live(await readStatus(pageUrl));
    await new Promise((resolve) => setTimeout(resolve, STATUS_EVERY_MS));
  }
}

async function readStatus(pageUrl: string): Promise<string> {
  try {
    const answer = await fetch(`${pageUrl}/v1/status`, { signal: AbortSignal.timeout(STATUS_EVERY_MS * 3) });
    if (!answer.ok) return `the api answers with HTTP ${answer.status}`;
    return formatStatus((await answer.json()) as Status);
  } catch {
    return 'the api does not answer at the moment';
  }
}

async function closeAll(closers: (() => Promise<void>)[], impatient: Promise<void>): Promise<void> {
  const orderly = async () => {
    for (const close of closers) await close();
  };
  // A second Ctrl-C ends the wait; the keeper then ends what is left.
  await Promise.race([orderly(), impatient]);
}
