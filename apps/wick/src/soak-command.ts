/**
 * The command `npm run soak`: starts the soak as a process of its own, on servers that it starts for itself.
 * It must not import it: the product knows nothing of its tests.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { findRedisProgram } from '@wickstream/servers/redis-programs';
import { checkout } from '@wickstream/servers/server-folder';
import { installRedis } from '@wickstream/servers/system-packages';

/** Runs a soak. Shape: the arguments are its own; the exit code is 1 when a promise was broken. */
export async function runSoak(args: string[]): Promise<number> {
  if ((await findRedisProgram()) === undefined) await installRedis((line) => console.log(line));
  const child = spawn(process.execPath, [join(checkout, 'tests/soak/main.ts'), ...args], { stdio: 'inherit' });
  const pass = (signal: NodeJS.Signals) => child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, pass);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
