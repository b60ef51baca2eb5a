/**
 * The command `npm run bench`: starts the benches as a process of their own.
 * It must not import them: the product knows nothing of its benches.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { findRedisProgram } from '@wickstream/servers/redis-programs';
import { checkout } from '@wickstream/servers/server-folder';
import { installRedis } from '@wickstream/servers/system-packages';

/** Runs the benches. Shape: the arguments are theirs; the exit code is 1 when a bench is broken. */
export async function runBenches(args: string[]): Promise<number> {
  if ((await findRedisProgram()) === undefined) await installRedis((line) => console.log(line));
  const child = spawn(process.execPath, [join(checkout, 'bench/src/main.ts'), ...args], {
    cwd: process.env.INIT_CWD ?? process.cwd(),
    stdio: 'inherit',
  });
  const pass = (signal: NodeJS.Signals) => child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, pass);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
