/**
 * Checks docker-compose.yml and the Dockerfile as text, and with docker's own parser where there is one.
 * It must not start a container; `tests/stack` runs the same commands without containers.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runCommand } from '../src/command.ts';
import { images } from '../src/containers.ts';
import { checkout } from '../src/server-folder.ts';

type Service = {
  image?: string;
  build?: string;
  user?: string;
  entrypoint?: string[];
  command?: string | string[];
  restart?: string;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  mem_limit?: string;
  pids_limit?: number;
  environment?: Record<string, unknown>;
  volumes?: string[];
  ports?: string[];
  networks?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[] };
};

const read = (file: string) => readFileSync(join(checkout, file), 'utf8');
const compose: { services: Record<string, Service>; volumes: object; networks: Record<string, object> } = parse(
  read('docker-compose.yml'),
  {
    merge: true,
  },
);
const services = Object.entries(compose.services);
const PINNED = /:v?\d+\.\d+\.\d+[\w.-]*$/;
/** Jobs that end; everything else stays. */
const JOBS = new Set(['secrets', 'migrate', 'accounts']);
/** What is mounted of the host, and by whom. */
const HOST_MOUNTS = new Map([
  ['/', 'node-exporter'],
  ['/var/run/docker.sock', 'docker-socket'],
]);

describe('docker-compose.yml', () => {
  it('is valid for docker compose', async (ctx) => {
    const version = await runCommand('docker', ['compose', 'version', '--short']);
    if (version.code !== 0) ctx.skip('docker has no compose plugin here');
    const args = ['compose', '--file', join(checkout, 'docker-compose.yml'), '--profile', 'sim'];
    const checked = await runCommand('docker', [...args, '--env-file', 'docker/simulator.env', 'config', '--quiet'], {
      cwd: checkout,
    });
    expect(checked).toMatchObject({ code: 0 });
  });

  it('pins every image', () => {
    const loose = services.filter(([, service]) => !PINNED.test(service.image ?? ''));
    expect(loose.map(([name]) => name)).toEqual([]);
  });

  it('has the images that npm start uses', () => {
    expect(compose.services.redis?.image).toBe(images.redis);
    expect(compose.services.postgres?.image).toBe(images.postgres);
    expect(compose.services.accounts?.image).toBe(images.postgres);
  });

  it('mounts only named volumes, files that exist, and of the host what is stated here', () => {
    const mounts = services.flatMap(([name, { volumes = [] }]) =>
      volumes.map((volume) => ({ name, source: volume.split(':')[0] ?? '' })),
    );
    const isKnown = ({ name, source }: { name: string; source: string }) =>
      source.startsWith('.')
        ? existsSync(join(checkout, source))
        : source in compose.volumes || HOST_MOUNTS.get(source) === name;
    expect(mounts.length).toBeGreaterThan(8);
    expect(mounts.filter((mount) => !isKnown(mount))).toEqual([]);
  });

  it('runs only files that exist', () => {
    const words = services.flatMap(([, { command = [], healthcheck }]) => [command, healthcheck?.test ?? []].flat());
    const files = words.filter((word) => /^[\w./-]+\.(?:ts|mjs)$/.test(word));
    expect(files.length).toBeGreaterThan(5);
    expect(files.filter((file) => !existsSync(join(checkout, file)))).toEqual([]);
  });

  it('reads below a mount only what is there', () => {
    const missing = services.flatMap(([name, { volumes = [], command = [], entrypoint = [], environment = {} }]) => {
      const text = [command, entrypoint, Object.values(environment)].flat().join(' ');
      const binds = volumes.map((volume) => volume.split(':')).filter(([source]) => source?.startsWith('./'));
      return binds.flatMap(([source = '', target = '']) =>
        [...text.matchAll(new RegExp(`${target}(/[\\w./-]+)`, 'g'))]
          .map((match) => join(checkout, source, match[1] ?? ''))
          .filter((file) => !existsSync(file))
          .map((file) => `${name}: ${file}`),
      );
    });
    expect(missing).toEqual([]);
  });

  it('publishes ports on the loopback address only, of the api and Grafana only', () => {
    const ports = services.flatMap(([name, service]) => (service.ports ?? []).map((port) => ({ name, port })));
    expect(ports.map(({ name }) => name)).toEqual(['api', 'grafana']);
    expect(ports.filter(({ port }) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  it('checks the health of everything that stays', () => {
    const without = services.filter(([name, service]) => !JOBS.has(name) && !service.healthcheck?.test);
    expect(without.map(([name]) => name)).toEqual([]);
  });

  it('orders starts by health, and jobs by their end', () => {
    const waits = services.flatMap(([, { depends_on = {} }]) => Object.entries(depends_on));
    const wrong = waits.filter(
      ([name, { condition }]) =>
        condition !== (JOBS.has(name) ? 'service_completed_successfully' : 'service_healthy') ||
        !(name in compose.services),
    );
    expect(waits.length).toBeGreaterThan(10);
    expect(wrong).toEqual([]);
  });

  it('gives each container limits, a restart policy and no right that it does not need', () => {
    const wrong = services.filter(
      ([name, one]) =>
        !(one.mem_limit && one.pids_limit && one.read_only && one.restart) ||
        JOBS.has(name) === (one.restart === 'unless-stopped') ||
        String(one.cap_drop) !== 'ALL' ||
        String(one.security_opt) !== 'no-new-privileges:true',
    );
    expect(wrong.map(([name]) => name)).toEqual([]);
  });

  it('runs nothing as root but the one that must', () => {
    const root = services.filter(([, { build, user }]) => !build && (!user || /^(0|root)\b/.test(user)));
    expect(root.map(([name]) => name)).toEqual(['docker-socket']);
    expect(compose.services['docker-socket']?.networks).toEqual(['socket']);
    expect(compose.networks.socket).toEqual({ internal: true });
  });

  it('names only networks that it has, and keeps Redis and the database in the inner one', () => {
    const networks = services.flatMap(([, service]) => service.networks ?? []);
    expect(networks.filter((name) => !(name in compose.networks))).toEqual([]);
    expect(compose.networks.data).toEqual({ internal: true });
    for (const name of ['redis', 'postgres']) expect(compose.services[name]?.networks).toEqual(['data']);
  });

  it('hands on only variables that .env.example names, and has no secret of its own', () => {
    const text = read('docker-compose.yml');
    const known = new Set([...read('.env.example').matchAll(/^# ([A-Z0-9_]+)=/gm)].map((match) => match[1]));
    const used = [...text.matchAll(/\$\{([A-Z0-9_]+)/g)].map((match) => match[1] ?? '');
    expect(used.filter((name) => !known.has(name))).toEqual([]);
    expect([...text.matchAll(/\$\{[A-Z_]+_PASSWORD:-[^}]/g)]).toEqual([]);
  });

  it('hands on every variable of the apps that it does not set itself', () => {
    const text = read('docker-compose.yml');
    const own =
      /^(?:REDIS_URL|DATABASE_URL|HOST|REPLAY|(?:INGEST|AGGREGATOR|EXCHANGE)_PORT|(?:INGEST|AGGREGATOR)_URL|EXCHANGE_.*|WICK_.*|API_KEY)$/;
    const named = [...read('.env.example').matchAll(/^# ([A-Z0-9_]+)=/gm)].map((match) => match[1] ?? '');
    expect(named.filter((name) => !own.test(name) && !text.includes(`\${${name}`))).toEqual([]);
  });

  it('sets for the simulated market only variables that it reads', () => {
    const used = new Set([...read('docker-compose.yml').matchAll(/\$\{([A-Z0-9_]+)/g)].map((match) => match[1]));
    const set = [...read('docker/simulator.env').matchAll(/^([A-Z0-9_]+)=/gm)].map((match) => match[1]);
    expect(set.filter((name) => !used.has(name))).toEqual([]);
  });
});

describe('the Dockerfile', () => {
  const dockerfile = read('Dockerfile');

  it('pins its base images and the pnpm of package.json, and does not run as root', () => {
    const { packageManager }: { packageManager: string } = JSON.parse(read('package.json'));
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map((match) => match[1]);
    expect(bases.length).toBeGreaterThan(0);
    for (const base of bases) expect(base).toMatch(PINNED);
    expect(dockerfile).toContain(packageManager);
    expect(dockerfile).toMatch(/^USER node$/m);
  });
});

describe('.dockerignore', () => {
  const left = new Set(read('.dockerignore').split('\n'));
  const packages = ['apps', 'packages'].flatMap((folder) =>
    readdirSync(join(checkout, folder)).map((name) => `${folder}/${name}`),
  );
  const manifest = (folder: string): { name: string; dependencies?: Record<string, string> } =>
    JSON.parse(read(`${folder}/package.json`));
  const folders = new Map([...packages, 'sql'].map((folder) => [manifest(folder).name, folder]));

  it.each([...folders.values()].filter((folder) => !left.has(folder)))('what %s needs is in the image', (folder) => {
    const { dependencies = {} } = manifest(folder);
    const needed = Object.keys(dependencies).flatMap((name) => folders.get(name) ?? []);
    expect(needed.filter((one) => left.has(one))).toEqual([]);
  });
});
