/**
 * Holds docs/RECIPES.md and docs/MIGRATION.md true: each recipe is run against a flowing feed, each name must exist.
 * It must not hold recipes of its own.
 */
import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { engines } from '@wickstream/servers/fixture';
import { DefaultLogger, MainClient, WebsocketClient } from 'binance';
import ccxt from 'ccxt';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LiveFeed, startLiveFeed, until } from './live-feed.ts';

const run = promisify(execFile);
const DOCS = join(import.meta.dirname, '../../docs');
const DASHBOARDS = join(import.meta.dirname, '../../grafana/dashboards');

type Block = { readonly heading: string; readonly kind: string; readonly body: string };

const [recipes, migration] = [blocksOf('RECIPES.md'), blocksOf('MIGRATION.md')];
const of = (heading: string): Block[] => recipes.filter((block) => block.heading.startsWith(heading));
const bodyOf = (heading: string): string => of(heading)[0]?.body ?? '';
const noPython = missing('python3');
const noPandas =
  noPython ?? (spawnSync('python3', ['-c', 'import pandas']).status === 0 ? undefined : 'no pandas here');

const [engine] = await engines();
if (engine === undefined) throw new Error('no engine');

describe('docs/RECIPES.md and docs/MIGRATION.md', () => {
  let feed: LiveFeed;
  let sql: postgres.Sql;

  const shell = async (script: string): Promise<string> => {
    const env = { ...process.env, BASE: feed.base, DATABASE_URL: feed.databaseUrl, PAGER: 'cat' };
    return (await run('bash', ['-c', `set -e -o pipefail\n${script}`], { env, maxBuffer: 16 * 1024 * 1024 })).stdout;
  };
  const python = async (body: string): Promise<string> =>
    (await run('python3', ['-c', `base = "${feed.base}"\n${body}`])).stdout;

  beforeAll(async () => {
    feed = await startLiveFeed(engine, 3_000);
    sql = postgres(feed.databaseUrl, { max: 1, onnotice: () => undefined });
    await until('every channel is stored', async () => {
      const { symbols } = await feed.get<{ symbols: { sources: string[] }[] }>('/v1/symbols');
      if (symbols.length < 2 || symbols.some(({ sources }) => sources.length < 2)) return false;
      const [row] = await sql`select count(*)::int as tickers from ticker_1h`;
      return Number(row?.tickers) > 0;
    });
  });

  afterAll(async () => {
    await sql?.end();
    await feed?.close();
  });

  it('has a recipe for each tool that is promised', () => {
    const headings = [...new Set(recipes.map(({ heading }) => heading))];
    const promised = [
      'Shell',
      'Python',
      'pandas',
      'Node',
      'ccxt',
      'A Binance connector',
      'psql',
      'SQL',
      'Grafana',
      'TradingView',
    ];
    expect(promised.filter((name) => !headings.some((heading) => heading.startsWith(name)))).toEqual([]);
  });

  it('shell', async (ctx) => {
    const absent = missing('curl') ?? missing('bash');
    if (absent) ctx.skip(absent);
    expect(await shell(bodyOf('Shell'))).toMatch(/^\d{13} [\d.]+ [\d.]+$/m);
  });

  it('Python', async (ctx) => {
    if (noPython) ctx.skip(noPython);
    expect(await python(bodyOf('Python'))).toMatch(/^\d{13} \d+(\.\d+)? False (True|False)$/m);
    expect(
      bodyOf('Python')
        .split('\n')
        .filter((line) => line !== '').length,
    ).toBeLessThanOrEqual(10);
  });

  it('pandas', async (ctx) => {
    if (noPandas) ctx.skip(noPandas);
    expect(await python(bodyOf('pandas'))).toContain('close');
  });

  it('the client in Node', async () => {
    const printed: unknown[] = [];
    const module = await import('@wickstream/client/client');
    const body = bodyOf('Node').replace(/await import\('[^']+'\)/, 'client_');
    await script(body, 'undefined', {
      base: feed.base,
      client_: module,
      console: { log: (one: unknown) => printed.push(one) },
    });
    expect(printed).toEqual([expect.stringMatching(/^\d+/)]);
  });

  it('ccxt', async () => {
    const result = await script(bodyOf('ccxt'), '{ candles, pushed, exchange }', { base: feed.base, ccxt });
    const { candles, pushed, exchange } = result as { candles: []; pushed: []; exchange: { close(): Promise<void> } };
    expect([candles.length > 0, pushed.length > 0]).toEqual([true, true]);
    await exchange.close();
  });

  it('a Binance connector', async () => {
    const logger = { ...DefaultLogger, info: () => undefined };
    const sockets: WebsocketClient[] = [];
    const printed: unknown[] = [];
    class QuietClient extends WebsocketClient {
      constructor(options: ConstructorParameters<typeof WebsocketClient>[0]) {
        super(options, logger);
        sockets.push(this);
      }
    }
    const console_ = { log: (message: unknown) => printed.push(message) };
    const names = { base: feed.base, MainClient, WebsocketClient: QuietClient, console: console_ };
    const klines = (await script(bodyOf('A Binance connector'), 'klines', names)) as unknown[];
    expect(klines.length).toBeGreaterThan(0);
    await until('a pushed kline', () => JSON.stringify(printed).includes('"e":"kline"'));
    for (const socket of sockets) socket.closeAll(true);
  });

  it.for(of('psql').flatMap(({ body }) => body.split('\n')))('%s', async (line, ctx) => {
    const absent = missing('psql');
    if (absent) ctx.skip(absent);
    expect((await shell(line)).split('\n').length).toBeGreaterThan(2);
  });

  it('SQL, here and for Grafana', async () => {
    const blocks = [...of('SQL'), ...of('Grafana')];
    expect(blocks.length).toBe(2);
    for (const { body } of blocks) {
      const text = body.replace('$__timeFrom()', `now() - interval '1 hour'`).replace('$__timeTo()', 'now()');
      for (const statement of statements(text)) await sql.unsafe(statement);
    }
  });

  it('TradingView asks calls that answer', async () => {
    const path = /\$\{base\}(\/udf)/.exec(bodyOf('TradingView'))?.[1];
    const symbol = /symbol: '([^']+)'/.exec(bodyOf('TradingView'))?.[1];
    expect(await feed.get(`${path}/config`)).toHaveProperty('supported_resolutions');
    expect(await feed.get(`${path}/symbols?symbol=${symbol}`)).toMatchObject({ ticker: expect.any(String) });
  });

  it('moving over: every statement runs, and the old names answer', async () => {
    const texts = migration.filter(({ kind }) => kind === 'sql').flatMap(({ body }) => statements(body));
    const asked = texts.filter((statement) => statement.startsWith('select'));
    expect(asked.length).toBe(3);
    for (const statement of texts) {
      const rows = await sql.unsafe(statement);
      if (asked.includes(statement)) expect([statement, rows.length > 0]).toEqual([statement, true]);
    }
  });

  it('moving over: every panel, call and dashboard that is named exists', async () => {
    const text = readFileSync(join(DOCS, 'MIGRATION.md'), 'utf8');
    const panels = panelNames();
    const named = [...text.matchAll(/\*([A-Z][\w ]+)\*: \*([^*]+)\*/g)].map(
      ([, dashboard, panel]) => `${dashboard}: ${panel}`,
    );
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((name) => !panels.has(name))).toEqual([]);
    const { paths } = await feed.get<{ paths: Record<string, object> }>('/openapi.json');
    const ours = text
      .split('\n')
      .flatMap((line) => line.split('|').slice(2))
      .join('\n');
    const calls = [...ours.matchAll(/`(?:GET|POST|WS) (\/[\w/]+)/g)].map(([, path = '']) => path);
    expect(calls.length).toBeGreaterThan(4);
    expect(calls.filter((path) => paths[path] === undefined)).toEqual([]);
  });
});

function blocksOf(name: string): Block[] {
  const sections = readFileSync(join(DOCS, name), 'utf8')
    .split(/^#{2,3} /m)
    .slice(1);
  return sections.flatMap((section) => {
    const heading = section.split('\n')[0] ?? '';
    return [...section.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, kind = '', body = '']) => ({
      heading,
      kind,
      body: body.trim(),
    }));
  });
}

function script(body: string, result: string, names: Record<string, unknown>): Promise<unknown> {
  const made = new Function(...Object.keys(names), `return (async () => { ${body}\nreturn ${result}; })()`);
  return made(...Object.values(names)) as Promise<unknown>;
}

function statements(text: string): string[] {
  return text
    .split(/;\s*(?:\n|$)/)
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

function missing(program: string): string | undefined {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0 ? undefined : `no ${program} here`;
}

function panelNames(): Set<string> {
  type Panel = { title?: string; panels?: Panel[] };
  const flat = (panels: Panel[] = []): Panel[] => panels.flatMap((panel) => [panel, ...flat(panel.panels)]);
  return new Set(
    readdirSync(DASHBOARDS)
      .filter((file) => file.endsWith('.json'))
      .flatMap((file) => {
        const { title, panels } = JSON.parse(readFileSync(join(DASHBOARDS, file), 'utf8')) as Panel;
        return flat(panels).map((panel) => `${title}: ${panel.title}`);
      }),
  );
}
