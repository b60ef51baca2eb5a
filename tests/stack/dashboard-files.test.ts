/**
 * Checks the files that Grafana, Loki and Alloy read: dashboards against the panels they are made from, and against each other.
 * That they fit Grafana's own types is held by the compiler: packages/dashboards is written in them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DASHBOARDS } from '@wickstream/dashboards/catalogue';
import type { DashboardFile, RowFile } from '@wickstream/dashboards/grafana-types';
import { SOURCES } from '@wickstream/dashboards/query';
import { checkout } from '@wickstream/servers/server-folder';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readServices, readVariables } from './compose-file.ts';

const read = (file: string) => readFileSync(join(checkout, file), 'utf8');
const services = readServices(readVariables('docker/simulator.env'));
type Placed = Exclude<NonNullable<DashboardFile['panels']>[number], RowFile> & { dashboard: string };
const panels = [...DASHBOARDS].flatMap(([dashboard, { file }]) =>
  (file.panels ?? []).filter(({ type }) => type !== 'row').map((panel) => ({ ...panel, dashboard }) as Placed),
);

describe('the dashboards', () => {
  it('are what the panels of packages/dashboards make (node packages/dashboards/src/main.ts)', () => {
    expect(readdirSync(join(checkout, 'grafana/dashboards')).sort()).toEqual(
      [...DASHBOARDS.keys()].map((name) => `${name}.json`).sort(),
    );
    for (const [name, { file }] of DASHBOARDS)
      expect(JSON.parse(read(`grafana/dashboards/${name}.json`))).toEqual(file);
  });

  it('have uids of their own, and the first is the home page', () => {
    const files = [...DASHBOARDS.values()].map(({ file }) => file);
    expect(new Set(files.map(({ uid }) => uid)).size).toBe(4);
    expect(files.every(({ editable }) => editable === false)).toBe(true);
    expect(services.get('grafana')?.environment?.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH).toBe(
      '/etc/wickstream/dashboards/market.json',
    );
  });

  it('say of each panel its unit, what it shows, and that there is nothing', () => {
    const wrong = panels.filter(({ title, description, fieldConfig }) => {
      const defaults = fieldConfig?.defaults;
      return !title || !/^.{15,}\.$/s.test(description ?? '') || !defaults?.unit || !defaults.noValue;
    });
    expect(wrong.map(({ dashboard, title }) => `${dashboard}: ${title}`)).toEqual([]);
    expect(panels.length).toBeGreaterThan(60);
  });

  it('put no panel over another', () => {
    const places = panels.map(({ dashboard, title, gridPos }) => ({
      dashboard,
      title,
      ...{ x: 0, y: 0, w: 0, h: 0, ...gridPos },
    }));
    const overlaps = places.flatMap((a, index) =>
      places
        .slice(index + 1)
        .filter(
          (b) =>
            a.dashboard === b.dashboard && a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h,
        )
        .map((b) => `${a.dashboard}: ${a.title} and ${b.title}`),
    );
    expect(overlaps).toEqual([]);
    expect(places.filter(({ x, w, h }) => x + w > 24 || w < 1 || h < 3)).toEqual([]);
  });

  it('ask for the reader’s range wherever SQL reads ticks or candles', () => {
    const texts = panels.flatMap(({ dashboard, title, targets = [] }) =>
      targets.map((target) => ({ name: `${dashboard}: ${title}`, text: String(target.rawSql ?? '') })),
    );
    const ticks = texts.filter(({ text }) =>
      /\b(?:from|join) (?:trades|quotes|ticker_|trade_bars|quote_bars|candles|quarantine|late_ticks)/.test(text),
    );
    expect(ticks.length).toBeGreaterThan(12);
    expect(
      ticks.filter(({ text }) => !/\$__time(?:Filter\(|From\(\)|To\(\))/.test(text)).map(({ name }) => name),
    ).toEqual([]);
  });
});

describe('the provisioning', () => {
  const sources: { datasources: Record<string, unknown>[] } = parse(
    read('grafana/provisioning/datasources/wickstream.yml'),
  );
  const providers: { providers: { allowUiUpdates: boolean; options: { path: string } }[] } = parse(
    read('grafana/provisioning/dashboards/wickstream.yml'),
  );

  it('has the data sources that the panels ask, at services that there are', () => {
    for (const { type, uid } of Object.values(SOURCES)) {
      const source = sources.datasources.find((one) => one.uid === uid);
      expect(source).toMatchObject({ type, editable: false });
      const host =
        String(source?.url)
          .replace(/^http:\/\//, '')
          .split(':')[0] ?? '';
      expect(services.has(host), host).toBe(true);
    }
  });

  it('logs in as the role that may only read, with variables that Grafana is given', () => {
    const source = sources.datasources.find((one) => one.uid === 'wickstream');
    expect(source?.user).toBe('grafana');
    const variables = [...JSON.stringify(sources).matchAll(/\$([A-Z_]+)/g)].map((match) => match[1] ?? '');
    expect(variables.length).toBeGreaterThan(1);
    for (const name of variables) expect(services.get('grafana')?.environment).toHaveProperty(name);
  });

  it('reads the folder that is mounted, and saves no edit of the browser', () => {
    expect(providers.providers).toMatchObject([
      { allowUiUpdates: false, options: { path: '/etc/wickstream/dashboards' } },
    ]);
    expect(read('docker-compose.yml')).toContain('./grafana/dashboards:/etc/wickstream/dashboards:ro');
  });
});

describe('the logs', () => {
  const alloy = read('docker/alloy/config.alloy');

  it('are shipped by components that exist, to a service that there is', () => {
    const defined = new Set([...alloy.matchAll(/^([a-z_.]+) "(\w+)" \{$/gm)].map((match) => `${match[1]}.${match[2]}`));
    const used = [...alloy.matchAll(/\b((?:discovery|loki)\.\w+\.\w+)\.(?:targets|output|receiver)\b/g)].map(
      (match) => match[1],
    );
    expect(used.length).toBeGreaterThan(3);
    expect(used.filter((name) => !defined.has(name ?? ''))).toEqual([]);
    for (const [, host = ''] of alloy.matchAll(/(?:tcp|http):\/\/([\w-]+):\d+/g))
      expect(services.has(host), host).toBe(true);
  });

  it('carry the labels that the panels ask for', () => {
    const labels = new Set(
      [...alloy.matchAll(/target_label\s*=\s*"(\w+)"|values = \{ (\w+) =/g)].map((match) => match[1] ?? match[2]),
    );
    const selectors = panels
      .flatMap(({ targets = [] }) => targets)
      .filter(({ datasource }) => (datasource as { uid: string }).uid === 'loki');
    const asked = selectors.flatMap(({ expr }) =>
      [...String(expr).matchAll(/(\w+)\s*(?:=~|=)/g)].map((match) => match[1]),
    );
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.filter((label) => !labels.has(label))).toEqual([]);
    expect(selectors.every(({ direction }) => direction === 'backward')).toBe(true);
  });

  it('are kept for the time that Loki is told, in its volume', () => {
    const loki: { limits_config: { retention_period: string }; common: { path_prefix: string }; compactor: object } =
      parse(read('docker/loki/loki.yml'));
    expect(loki).toMatchObject({
      limits_config: { retention_period: '336h' },
      common: { path_prefix: '/loki' },
      compactor: { retention_enabled: true },
    });
  });
});
