/**
 * Checks that nothing of ours outlives a process that was killed.
 * It must not signal any process that it did not start.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isAlive, readCommandLine } from '../src/leftover.ts';

const keeper = join(import.meta.dirname, '../src/keeper.ts');

async function until(condition: () => boolean, deadlineMs: number): Promise<boolean> {
  const deadline = Date.now() + deadlineMs;
  while (!condition() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  return condition();
}

it('kill -9 of the owner ends what it held and removes its folders, and spares what it took back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wick keeper '));
  const script = `
    import { spawn } from 'node:child_process';
    import { getKeeper } from ${JSON.stringify(keeper)};
    const start = (script) => spawn('/bin/sh', ['-c', script], { detached: true, stdio: 'ignore' }).pid;
    const [held, stubborn, spared] = [start('exec sleep 60'), start("trap '' TERM; sleep 60 & wait; wait"), start('exec sleep 60')];
    for (const pid of [held, stubborn, spared]) getKeeper().hold('TERM', pid);
    getKeeper().drop('TERM', spared);
    getKeeper().removeAtEnd(${JSON.stringify(folder)});
    setTimeout(() => console.log(JSON.stringify([held, stubborn, spared])), 100);
    setInterval(() => undefined, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>((resolve) =>
    owner.stdout.once('data', (text: Buffer) => resolve(text.toString())),
  );
  const [held = 0, stubborn = 0, spared = 0]: number[] = JSON.parse(line);
  expect([held, stubborn, spared].every(isAlive)).toBe(true);
  owner.kill('SIGKILL');
  expect(await until(() => !isAlive(held), 5_000)).toBe(true);
  expect(await until(() => !isAlive(stubborn), 15_000)).toBe(true);
  expect(await until(() => !existsSync(folder), 5_000)).toBe(true);
  expect(isAlive(spared)).toBe(true);
  process.kill(spared, 'SIGKILL');
}, 30_000);

it('a command line is read whole, and is empty for a process that is gone', async () => {
  expect(await readCommandLine(process.pid)).toContain('node');
  expect(await readCommandLine(2 ** 30)).toBe('');
});
