/**
 * The bench `start`: the second `npm start` of a checkout, until a candle of the new market is served.
 * It must not touch the checkout's own data: it starts a copy of the checkout in a temporary folder.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '@wickstream/servers/fixture';
import { checkout, hashPath, openTemporaryFolder } from '@wickstream/servers/server-folder';
import type { Scenario } from '../scenario.ts';

const SECONDS_MAX = 5;
const DEADLINE_MS = 120_000;
const POLL_MS = 25;
const COPIED = ['apps', 'packages', 'sql', 'tools', 'package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml'];

/** The bench `start`. */
export const start: Scenario = {
  name: 'start',
  what: 'the second npm start (simulator), from the command to the first candle with a new tick over REST',
  target: `≤ ${SECONDS_MAX} s`,
  perEngine: false,
  run: async ({ closing }) => {
    const folder = join((await openTemporaryFolder()).path, 'checkout');
    const skipped = /\/(\.wickstream|\.turbo|test)$/;
    for (const name of COPIED) {
      const filter = (path: string) => !skipped.test(path);
      cpSync(join(checkout, name), join(folder, name), { recursive: true, verbatimSymlinks: true, filter });
    }
    symlinkSync(join(checkout, 'node_modules'), join(folder, 'node_modules'));
    closing(async () => rmSync(join('/var/lib/wickstream', hashPath(folder)), { recursive: true, force: true }));
    const firstS = await startOnce(folder);
    const secondS = await startOnce(folder);
    return {
      result: `${secondS.toFixed(1)} s; the first start, which makes the databases, ${firstS.toFixed(1)} s`,
      passed: secondS <= SECONDS_MAX,
      figures: { secondS, firstS },
    };
  },
};

/** Starts, waits for the first candle, stops. Units: returns seconds. */
async function startOnce(folder: string): Promise<number> {
  const port = await freePort();
  const startedAt = Date.now();
  // Servers that the environment names are others' servers.
  const args = [
    '-u',
    'REDIS_URL',
    '-u',
    'DATABASE_URL',
    process.execPath,
    join(folder, 'tools/bootstrap.mjs'),
    'start',
    '--feed',
    'simulator',
    '--port',
    String(port),
  ];
  const child = spawn('env', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (output += String(data)));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  try {
    await waitForCandle(port, startedAt, child, () => output);
    return (Date.now() - startedAt) / 1000;
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

async function waitForCandle(
  port: number,
  startedAt: number,
  child: ChildProcess,
  output: () => string,
): Promise<void> {
  const url = `http://127.0.0.1:${port}/v1/candles?symbol=BTCUSDT&interval=1m&limit=1`;
  for (;;) {
    const answer = await fetch(url).catch(() => undefined);
    const body = answer?.ok ? ((await answer.json()) as { asOf: number; candles: unknown[] }) : undefined;
    if (body !== undefined && body.candles.length > 0 && body.asOf >= startedAt) return;
    if (child.exitCode !== null || Date.now() - startedAt > DEADLINE_MS) {
      throw new Error(`npm start gave no candle: ${output().slice(-800)}`);
    }
    await delay(POLL_MS);
  }
}
