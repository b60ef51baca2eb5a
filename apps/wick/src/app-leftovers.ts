/**
 * Remembers which apps a start runs, and ends those that outlived it.
 * It must not signal a process before its command line has proved that it is this checkout's app.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AppName } from '@wickstream/servers/app-process';
import { endProcess, readCommandLine } from '@wickstream/servers/leftover';
import { checkout } from '@wickstream/servers/server-folder';

const APPS: readonly AppName[] = ['ingest', 'aggregator', 'api', 'exchange'];

/** Writes down the process of an app. */
export function rememberApp(name: AppName, pid: number | undefined): void {
  mkdirSync(join(checkout, '.wickstream'), { recursive: true });
  writeFileSync(fileOf(name), String(pid ?? 0));
}

/** Ends the apps that a start which was killed has left running. */
export async function endLeftoverApps(): Promise<void> {
  await Promise.all(APPS.filter((name) => existsSync(fileOf(name))).map(endLeftover));
}

async function endLeftover(name: AppName): Promise<void> {
  const pid = Number(readFileSync(fileOf(name), 'utf8'));
  const proof = join(checkout, 'apps', name, 'src/main.ts');
  if (pid > 0 && (await readCommandLine(pid)).includes(proof)) await endProcess(pid, 'SIGTERM');
  rmSync(fileOf(name), { force: true });
}

function fileOf(name: AppName): string {
  return join(checkout, '.wickstream', `${name}.pid`);
}
