/**
 * Installs a Redis server from the system's packages, without letting the package start a service.
 * It must not run without saying so first, and it removes whatever it placed to keep the service down.
 */
import { existsSync } from 'node:fs';
import { lastLines, runCommand } from './command.ts';
import { findRedisProgram, type RedisProgram } from './redis-programs.ts';

const INSTALL_TIMEOUT_MS = 5 * 60_000;
const PACKAGES = ['redis-server', 'valkey-server'];

// invoke-rc.d asks this file before it starts a service; 101 means "not allowed". One that is there already stays.
const SCRIPT = `
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' INT TERM HUP
  printf '#!/bin/sh\\nexit 101\\n' > "$policy" && chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
apt-get install -y --no-install-recommends "$1" || { apt-get update && apt-get install -y --no-install-recommends "$1"; }
`;

/** Installs Redis (or Valkey) with apt-get as root or through sudo. Errors: rejects with a sentence that says the mend. */
export async function installRedis(say: (line: string) => void): Promise<RedisProgram> {
  const mend = 'Install Redis 7 or Valkey yourself (redis-server on PATH), start Docker, or set REDIS_URL.';
  if (!existsSync('/usr/bin/apt-get')) throw new Error(`No Redis here and no apt-get to install one. ${mend}`);
  const prefix = await findRootPrefix();
  if (!prefix) throw new Error(`No Redis here, and installing one needs root or sudo without a password. ${mend}`);
  for (const name of PACKAGES) {
    say(`No Redis here: installing the system's package ${name} (apt-get), its service stays off`);
    const [command = '/bin/sh', ...args] = [...prefix, '/bin/sh', '-c', SCRIPT, 'sh', name];
    const done = await runCommand(command, args, { timeoutMs: INSTALL_TIMEOUT_MS });
    const program = await findRedisProgram();
    if (program) return program;
    say(`apt-get could not install ${name}: ${lastLines(done.stderr, 2)}`);
  }
  throw new Error(`No package of Redis 7 could be installed. ${mend}`);
}

async function findRootPrefix(): Promise<string[] | undefined> {
  if (process.getuid?.() === 0) return [];
  return (await runCommand('sudo', ['-n', 'true'], { timeoutMs: 5_000 })).code === 0 ? ['sudo', '-n'] : undefined;
}
