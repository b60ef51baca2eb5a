/**
 * Runs `npm start` as a user would: in a fresh copy, in a folder with a space, from nothing to a page and back to nothing.
 * It must leave neither a process nor a file behind.
 */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkout, hashPath } from '@wickstream/servers/server-folder';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const START_DEADLINE_MS = 120_000;
let copy = '';

beforeAll(() => {
  copy = join(mkdtempSync(join(tmpdir(), 'wick start ')), 'a copy');
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: checkout });
  for (const file of list.toString().split('\0').filter(Boolean)) {
    if (existsSync(join(checkout, file))) cpSync(join(checkout, file), join(copy, file));
  }
}, START_DEADLINE_MS);

afterAll(() => {
  rmSync(join(copy, '..'), { recursive: true, force: true });
  rmSync(movedData(), { recursive: true, force: true });
});

// The copy's parent is closed to others, so as root the data goes where PostgreSQL's user can reach it.
function movedData(): string {
  return join('/var/lib/wickstream', hashPath(copy));
}

type Run = {
  output: () => string;
  waitFor(pattern: RegExp): Promise<string>;
  signal(name: NodeJS.Signals): void;
  ended: Promise<number>;
};

function run(args: string[], env: Record<string, string> = {}): Run {
  // Vitest's and npm's own variables are not a user's.
  const own = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|WICK_|npm_|NODE_ENV)/.test(name)),
  );
  const child = spawn(process.execPath, ['tools/bootstrap.mjs', ...args], { cwd: copy, env: { ...own, ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
  const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
  const waitFor = async (pattern: RegExp) => {
    const deadline = Date.now() + START_DEADLINE_MS;
    for (;;) {
      const match = pattern.exec(output);
      if (match) return match[1] ?? match[0];
      if (child.exitCode !== null || Date.now() > deadline)
        throw new Error(`no ${pattern} in: ${output.slice(-2_000)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  return { output: () => output, waitFor, signal: (name) => child.kill(name), ended };
}

/** Every process that names the copy or its data in its command line. */
function processesInCopy(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return command.includes(copy) || command.includes(movedData()) ? [command] : [];
      } catch {
        return [];
      }
    });
}

describe.skipIf(!existsSync('/proc/self'))('npm start', () => {
  it('brings up a page, refuses a second start, and leaves nothing behind', async () => {
    const first = run(['start', '--feed', 'simulator']);
    const pageUrl = await first.waitFor(/^Open (http:\/\/127\.0\.0\.1:\d+)$/m);
    expect(first.output()).toContain('THE MARKET IS SIMULATED');
    expect(first.output()).toContain('btcusdt@trade');
    expect(first.output()).toContain('sim:ticks:{0}');
    const status = (await (await fetch(`${pageUrl}/v1/status`)).json()) as { feed: string };
    expect(status.feed).toBe('simulator');

    const second = run(['start']);
    expect(await second.ended).toBe(1);
    expect(second.output()).toContain(`runs from this folder already at ${pageUrl}`);

    const asked = run(['wick', 'status']);
    expect(await asked.ended).toBe(0);
    expect(asked.output()).toContain('SIMULATED market');
    const looked = run(['wick', 'doctor']);
    const code = await looked.ended;
    expect(looked.output()).toMatch(/^healthy: \d+ ok, \d+ warn, 0 fail$/m);
    expect(looked.output()).toContain('npm start runs from this folder');
    expect(code).toBe(0);
    const stopped = run(['wick', 'stop']);
    expect(await stopped.ended).toBe(0);
    expect(stopped.output()).toBe('the feed is stopped\n');
    const started = run(['wick', 'start', '--json']);
    expect(await started.ended).toBe(0);
    expect(JSON.parse(started.output())).toEqual({ state: 'running' });

    first.signal('SIGTERM');
    expect(await first.ended).toBe(0);
    expect(processesInCopy()).toEqual([]);
  }, 180_000);

  it('comes up again in seconds on the data it has, and is gone after kill -9 of the launcher too', async () => {
    const again = run(['start', '--feed', 'simulator']);
    await again.waitFor(/schema up to date/);
    await again.waitFor(/^Open http/m);
    const { pid } = JSON.parse(readFileSync(join(copy, '.wickstream/running.json'), 'utf8')) as { pid: number };
    process.kill(pid, 'SIGKILL');
    await again.ended;
    const deadline = Date.now() + 30_000;
    while (processesInCopy().length > 0 && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 100));
    expect(processesInCopy()).toEqual([]);
  }, 180_000);

  it('fails in one sentence for a port that was asked for and is taken', async () => {
    const port = new URL(await listenSomewhere()).port;
    const refused = run(['start', '--feed', 'simulator'], { API_PORT: port });
    expect(await refused.ended).toBe(1);
    expect(refused.output().trim().split('\n')).toEqual([
      `Port ${port} was asked for (API_PORT) and is taken; end what uses it or ask for another.`,
    ]);
  });
});

async function listenSomewhere(): Promise<string> {
  const { createServer } = await import('node:net');
  const server = createServer().unref();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
}
