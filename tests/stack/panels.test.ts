/**
 * Asks every question of every panel, as the accounts that Grafana uses, while the stack runs: each answers, with the columns that the panel
 * needs. Grafana itself is not needed; what Loki would be asked is checked against the labels that Alloy sets (dashboard-files.test.ts).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DASHBOARDS } from '@wickstream/dashboards/catalogue';
import type { PlacedQuery } from '@wickstream/dashboards/dashboard';
import { expandPromql, expandSql, type View } from '@wickstream/dashboards/macros';
import { type Engine, engines } from '@wickstream/servers/fixture';
import { checkout } from '@wickstream/servers/server-folder';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasProgram, type NativeStack, startNativeStack, waitUntil } from './native-stack.ts';
import { type PrometheusServer, SCRAPE_SECONDS, startPrometheus } from './prometheus-server.ts';

const SYMBOL = 'BTCUSDT';
const WARM_DEADLINE_MS = 60_000;
const TIME_TYPES = new Set([1114, 1184]);
const NUMBER_TYPES = new Set([20, 21, 23, 700, 701, 1700]);
/** Panels whose columns besides time are drawn, so they must be numbers. */
const DRAWN = new Set(['timeseries', 'candlestick', 'state-timeline', 'stat']);
const missing = (await hasProgram('psql')) ? undefined : 'psql is not installed here';
const noPrometheus = (await hasProgram('prometheus')) ? undefined : 'prometheus is not installed here';

type Asked = PlacedQuery & { readonly dashboard: string; readonly title: string; readonly type: string };

const asked: Asked[] = [...DASHBOARDS].flatMap(([dashboard, { file, queries }]) =>
  queries.map((query) => {
    const panel = file.panels?.find(({ id }) => id === query.panelId);
    return { ...query, dashboard, title: panel?.title ?? '', type: panel?.type ?? '' };
  }),
);
const ofSource = (uid: string) => asked.filter(({ target }) => target.datasource.uid === uid);
const nameOf = ({ dashboard, title, refId }: Asked) => `${dashboard}: ${title} ${refId}`;

type Running = { stack: NativeStack; grafana: postgres.Sql; prometheus: PrometheusServer | undefined };

const list = await engines();
const running = new Map<string, Running>();

// Both at once: most of the time goes into waiting.
beforeAll(async () => {
  if (missing) return;
  await Promise.all(
    list.map(async (engine) => running.set(engine.name, await startRunning(engine, engine === list[0]))),
  );
}, 180_000);

afterAll(async () => {
  for (const { stack, grafana, prometheus } of running.values()) {
    await grafana.end({ timeout: 1 });
    await prometheus?.close();
    await stack.close();
  }
});

for (const engine of list) {
  const isFirst = engine === list[0];
  describe(`panels on ${engine.name}`, { timeout: 120_000 }, () => {
    const use = () => running.get(engine.name) as Running;

    const ask = (text: string, toMs = Date.now()) => {
      const view: View = {
        ...{ fromMs: toMs - 3_600_000, toMs, intervalMs: 10_000 },
        variables: { venue: 'binance', symbol: SYMBOL, source: 'trade' },
      };
      return use().grafana.unsafe(expandSql(text, view));
    };

    it('every SQL question answers with the right columns', async (ctx) => {
      if (missing) ctx.skip(missing);
      const faults: string[] = [];
      for (const query of ofSource('wickstream')) {
        const rows = await ask(String(query.target.rawSql)).catch((error: Error) => error);
        const fault = rows instanceof Error ? rows.message : faultOf(query, rows);
        if (fault !== undefined) faults.push(`${nameOf(query)}: ${fault}`);
      }
      expect(faults).toEqual([]);
      expect(ofSource('wickstream').length).toBeGreaterThan(25);
    });

    it('every variable has values, and hostile ones stay text', async (ctx) => {
      if (missing) ctx.skip(missing);
      const lists = [...DASHBOARDS.values()].flatMap(({ file }) => file.templating?.list ?? []);
      for (const variable of lists.filter(({ type }) => type === 'query'))
        expect((await ask(String(variable.query))).length, variable.name).toBeGreaterThan(0);
      const text = String(ofSource('wickstream').find(({ title }) => title === 'Last 100 trades')?.target.rawSql);
      const hostile = { venue: 'binance', symbol: "x' or '1'='1", source: 'trade' };
      const now = Date.now();
      const view = { fromMs: now - 60_000, toMs: now, intervalMs: 1000, variables: hostile };
      expect(await use().grafana.unsafe(expandSql(text, view))).toHaveLength(0);
    });

    it('the figures of 24 hours are of 24 hours exactly, wherever the range ends', async (ctx) => {
      if (missing) ctx.skip(missing);
      const sqlOf = (title: string) => String(ofSource('wickstream').find((one) => one.title === title)?.target.rawSql);
      // An end inside a minute, far enough back that nothing changes any more.
      const toMs = Date.now() - 90_123;
      const [[low], [high], [trades], [plain]] = await Promise.all([
        ask(sqlOf('Lowest, 24 hours'), toMs),
        ask(sqlOf('Highest, 24 hours'), toMs),
        ask(sqlOf('Trades, 24 hours'), toMs),
        use().stack.database
          .sql`select min(price) as low, max(price) as high, sum(last_id - id + 1)::text as trades from trades
          where symbol = ${SYMBOL} and ts > ${new Date(toMs)}::timestamptz - interval '24 hours' and ts <= ${new Date(toMs)}`,
      ]);
      expect([low?.low, high?.high, String(trades?.trades)]).toEqual([plain?.low, plain?.high, plain?.trades]);
    });

    if (!isFirst) return;
    for (const job of ['apps', 'redis', 'postgres', 'node']) {
      it(`every PromQL question about ${job} answers with the labels that its legend names`, async (ctx) => {
        if (missing) ctx.skip(missing);
        const server = use().prometheus ?? ctx.skip(noPrometheus ?? 'prometheus is not needed here');
        if (job !== 'apps' && !server.jobs.includes(job))
          ctx.skip(`prometheus-${job}-exporter or wget is not installed here`);
        const mine = ofSource('prometheus').filter((query) => jobOf(String(query.target.expr)) === job);
        const faults: string[] = [];
        for (const query of mine) {
          const expr = expandPromql(String(query.target.expr), SCRAPE_SECONDS);
          const found = await (query.target.range ? server.range(expr, 30) : server.instant(expr));
          const labels = [...String(query.target.legendFormat).matchAll(/\{\{(\w+)\}\}/g)].map(
            (match) => match[1] ?? '',
          );
          const without = labels.filter((label) => found.some(({ metric }) => metric[label] === undefined));
          if (found.length === 0 && query.quiet === undefined) faults.push(`${nameOf(query)}: empty: ${expr}`);
          if (without.length > 0) faults.push(`${nameOf(query)}: no label ${without}`);
        }
        expect(faults).toEqual([]);
        expect(mine.length).toBeGreaterThan(0);
      });
    }
  });
}

async function startRunning(engine: Engine, isFirst: boolean): Promise<Running> {
  const variables = { SYMBOLS: SYMBOL, BACKFILL_HOURS: '1', EXCHANGE_RATE: '1200' };
  const stack = await startNativeStack({ engine, variables, exporters: isFirst });
  const rules = readFileSync(join(checkout, 'prometheus/rules.yml'), 'utf8');
  const prometheus = isFirst && !noPrometheus ? await startPrometheus(stack, rules) : undefined;
  const url = new URL(stack.database.url);
  url.username = 'grafana';
  url.password = stack.environmentOf('grafana').POSTGRES_GRAFANA_PASSWORD ?? '';
  const grafana = postgres(url.href, { max: 2, onnotice: () => undefined });
  await makeHistory(stack);
  return { stack, grafana, prometheus };
}

/** Runs the stack until it has seen everything that a panel may show: gaps, duplicates, refusals, late ticks. */
async function makeHistory(stack: NativeStack): Promise<void> {
  const { sql } = stack.database;
  const hasRows = async (text: string) => (await sql.unsafe(text)).length > 0;
  await waitUntil(
    'an hour is backfilled',
    () => hasRows("select 1 from trades where ts < now() - interval '61 minutes' limit 1"),
    WARM_DEADLINE_MS,
  );
  const spoils = ['late-1m', 'price-nan', 'cut', 'quote-crossed'];
  await stack.fault({ duplicateEvery: 7, dropEvery: 11, spoilEvery: 5, spoils, restStatus: 503 });
  const wanted = [
    "select 1 from gaps where state = 'open'",
    'select 1 from quarantine',
    'select 1 from counters where duplicate > 0',
    'select 1 from late_ticks',
    'select 1 from ticker_1d',
    'select 1 from unobserved',
  ];
  for (const text of wanted) await waitUntil(text, () => hasRows(text), WARM_DEADLINE_MS);
}

function faultOf(query: Asked, rows: postgres.RowList<postgres.Row[]>): string | undefined {
  const names = rows.columns.map(({ name }) => name);
  if (names.join() !== (query.columns ?? []).join()) return `columns ${names}`;
  if (rows.length === 0) return query.quiet === undefined ? 'empty' : undefined;
  for (const { name, type } of rows.columns) {
    if (name === 'time' && !TIME_TYPES.has(type)) return 'time is not a time';
    const isText = name === 'time' || name === 'metric';
    if (DRAWN.has(query.type) && !isText && !NUMBER_TYPES.has(type)) return `${name} is not a number`;
  }
  const blank = rows.columns.filter(({ name }) => DRAWN.has(query.type) && rows.every((row) => row[name] === null));
  return blank.length > 0 ? `${blank.map(({ name }) => name)} is null` : undefined;
}

function jobOf(expr: string): string {
  return /\b(redis|pg|node)_/.exec(expr)?.[1]?.replace('pg', 'postgres') ?? 'apps';
}
