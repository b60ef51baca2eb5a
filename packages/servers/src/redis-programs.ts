/**
 * Finds a Redis server program on this machine.
 * It must not install or start anything.
 */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runCommand } from './command.ts';
import { compareVersions } from './postgres-programs.ts';

/** A Redis or Valkey program and its version. */
export type RedisProgram = { path: string; version: string };

/** The oldest Redis that has all we use. */
export const REDIS_VERSION_MIN = '7.0';
const FOLDERS = ['/usr/bin', '/usr/local/bin', '/usr/sbin', '/opt/homebrew/bin'];

/** Returns the first program that is new enough. Order: redis-server before valkey-server, PATH before well-known folders. */
export async function findRedisProgram(): Promise<RedisProgram | undefined> {
  const folders = [...new Set([...(process.env.PATH ?? '').split(delimiter), ...FOLDERS])];
  for (const name of ['redis-server', 'valkey-server']) {
    for (const path of folders.map((folder) => join(folder, name)).filter((file) => existsSync(file))) {
      const version = parseRedisVersion((await runCommand(path, ['--version'], { timeoutMs: 5_000 })).stdout);
      if (version && compareVersions(version, REDIS_VERSION_MIN) >= 0) return { path, version };
    }
  }
  return undefined;
}

/** Reads the version out of `redis-server --version`. */
export function parseRedisVersion(text: string): string | undefined {
  return /\bv=(\d+(?:\.\d+)*)/.exec(text)?.[1];
}
