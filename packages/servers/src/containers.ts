/**
 * Runs Redis and TimescaleDB in containers of our own through the docker command line.
 * It must not touch a container or volume whose name it did not make from the checkout's path.
 */
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { lastLines, runCommand } from './command.ts';

/** The images, the same as in docker-compose.yml. */
export const images = {
  redis: 'redis:8.8.2-alpine',
  postgres: 'timescale/timescaledb:2.29.2-pg17',
} as const;

/** A container to run. Shape: `port` inside it is published on a free loopback port; `folder` inside it keeps the data. */
export type ContainerOptions = {
  name: string;
  image: string;
  port: number;
  hostPort?: number | undefined;
  folder: string;
  env?: Record<string, string>;
  args: string[];
};

/** A running container. */
export type Container = { port: number; close(): Promise<void> };

const ENGINE_TIMEOUT_MS = 3_000;
const PULL_TIMEOUT_MS = 10 * 60_000;
const STOP_SECONDS = 20;

/** Tells whether a container engine answers within three seconds. */
export async function hasContainerEngine(): Promise<boolean> {
  const answer = await runCommand('docker', ['info', '--format', '{{.ServerVersion}}'], {
    timeoutMs: ENGINE_TIMEOUT_MS,
  });
  return answer.code === 0 && answer.stdout.trim() !== '';
}

/** Has or pulls an image. Shape: false when neither worked. */
export async function haveImage(image: string, say: (line: string) => void): Promise<boolean> {
  if ((await runCommand('docker', ['image', 'inspect', image])).code === 0) return true;
  say(`pulling the image ${image}`);
  const pulled = await runCommand('docker', ['pull', '--quiet', image], { timeoutMs: PULL_TIMEOUT_MS });
  if (pulled.code !== 0) say(`the image could not be pulled: ${lastLines(pulled.stderr, 1)}`);
  return pulled.code === 0;
}

/** Starts a container on a volume of the same name, replacing one left over. Errors: rejects with docker's last lines. */
export async function startContainer(options: ContainerOptions): Promise<Container> {
  await runCommand('docker', ['rm', '--force', options.name]);
  const started = await runCommand('docker', containerArguments(options));
  if (started.code !== 0) throw new Error(`docker could not start ${options.image}: ${lastLines(started.stderr, 3)}`);
  endWithUs(options.name);
  return { port: await askPort(options), close: () => stopContainer(options.name) };
}

/** Returns the arguments of `docker run`. */
export function containerArguments(options: ContainerOptions): string[] {
  const env = Object.entries(options.env ?? {}).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
  const publish = `127.0.0.1:${options.hostPort ?? ''}:${options.port}`;
  return [
    ...['run', '--detach', '--rm', '--name', options.name, '--publish', publish],
    ...['--volume', `${options.name}:${options.folder}`, '--stop-timeout', String(STOP_SECONDS)],
    ...env,
    options.image,
    ...options.args,
  ];
}

async function askPort(options: ContainerOptions): Promise<number> {
  for (let tries = 0; tries < 50; tries += 1) {
    const answer = await runCommand('docker', ['port', options.name, `${options.port}/tcp`]);
    const port = Number(/:(\d+)\s*$/m.exec(answer.stdout)?.[1]);
    if (answer.code === 0 && port > 0) return port;
    await delay(100);
  }
  await stopContainer(options.name);
  throw new Error(
    `The container ${options.name} published no port; see docker logs, or set DATABASE_URL and REDIS_URL.`,
  );
}

async function stopContainer(name: string): Promise<void> {
  await runCommand('docker', ['stop', '--time', String(STOP_SECONDS), name], { timeoutMs: 60_000 });
}

// A container is no child of ours, so the keeper cannot end it; this shell does, once our end of its pipe closes.
function endWithUs(name: string): void {
  const script = `trap '' INT TERM HUP; cat >/dev/null; docker stop --time ${STOP_SECONDS} "$1" >/dev/null 2>&1`;
  const shell = spawn('/bin/sh', ['-c', script, 'sh', name], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  shell.unref();
  shell.on('error', () => undefined);
  shell.stdin.on('error', () => undefined);
  if ('unref' in shell.stdin && typeof shell.stdin.unref === 'function') shell.stdin.unref();
}
