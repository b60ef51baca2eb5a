/**
 * Checks docker-compose.yml and the Dockerfile as text, since a container engine cannot be had everywhere.
 * It must not start a container.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { images } from '../src/containers.ts';
import { checkout } from '../src/server-folder.ts';

type Service = {
  image?: string;
  build?: string;
  command?: string | string[];
  environment?: Record<string, unknown>;
  volumes?: string[];
  ports?: string[];
  networks?: string[];
  depends_on?: Record<string, unknown>;
  healthcheck?: { test?: string[] };
};

const read = (file: string) => readFileSync(join(checkout, file), 'utf8');
const compose: { services: Record<string, Service>; volumes: object; networks: object } = parse(
  read('docker-compose.yml'),
  {
    merge: true,
  },
);
const services = Object.entries(compose.services);
const PINNED = /:v?\d+\.\d+\.\d+[\w.-]*$/;

describe('docker-compose.yml', () => {
  it('pins every image', () => {
    const loose = services.filter(([, service]) => !PINNED.test(service.image ?? ''));
    expect(loose.map(([name]) => name)).toEqual([]);
  });

  it('has the images that npm start uses', () => {
    expect(compose.services.redis?.image).toBe(images.redis);
    expect(compose.services.postgres?.image).toBe(images.postgres);
  });

  it('mounts only named volumes and files that exist', () => {
    const sources = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0] ?? ''));
    const missing = sources.filter((source) =>
      source.startsWith('.') ? !existsSync(join(checkout, source)) : !(source in compose.volumes),
    );
    expect(sources.length).toBeGreaterThan(1);
    expect(missing).toEqual([]);
  });

  it('runs only files that exist', () => {
    const words = services.flatMap(([, { command = [], healthcheck }]) => [command, healthcheck?.test ?? []].flat());
    const files = words.filter((word) => /^[\w./-]+\.(?:ts|mjs)$/.test(word));
    expect(files.length).toBeGreaterThan(5);
    expect(files.filter((file) => !existsSync(join(checkout, file)))).toEqual([]);
  });

  it('publishes ports on the loopback address only', () => {
    const ports = services.flatMap(([, service]) => service.ports ?? []);
    expect(ports.length).toBeGreaterThan(0);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  it('checks the health of everything that stays', () => {
    const without = services.filter(([name, service]) => name !== 'migrate' && !service.healthcheck?.test);
    expect(without.map(([name]) => name)).toEqual([]);
  });

  it('names only services and networks that it has', () => {
    const wanted = services.flatMap(([, service]) => Object.keys(service.depends_on ?? {}));
    expect(wanted.filter((name) => !(name in compose.services))).toEqual([]);
    const networks = services.flatMap(([, service]) => service.networks ?? []);
    expect(networks.filter((name) => !(name in compose.networks))).toEqual([]);
  });

  it('hands on only variables that .env.example names, or that it explains itself', () => {
    const own = new Set(['POSTGRES_PASSWORD', 'WICK_DATABASE']);
    const known = new Set([...read('.env.example').matchAll(/^# ([A-Z0-9_]+)=/gm)].map((match) => match[1]));
    const used = [...read('docker-compose.yml').matchAll(/\$\{([A-Z0-9_]+)/g)].map((match) => match[1] ?? '');
    expect(used.filter((name) => !known.has(name) && !own.has(name))).toEqual([]);
  });
});

describe('the Dockerfile', () => {
  const dockerfile = read('Dockerfile');

  it('pins its base image and the pnpm of package.json, and does not run as root', () => {
    const { packageManager }: { packageManager: string } = JSON.parse(read('package.json'));
    expect(/^FROM (\S+)$/m.exec(dockerfile)?.[1]).toMatch(PINNED);
    expect(dockerfile).toContain(packageManager);
    expect(dockerfile).toMatch(/^USER node$/m);
  });
});
