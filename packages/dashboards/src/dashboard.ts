/**
 * Puts panels into rows of a page and gives them their numbers.
 * It must not know what a panel shows.
 */
import type { AnyPanel, DashboardFile, RowFile, VariableFile } from './grafana-types.ts';
import type { Part } from './panel.ts';
import { type Query, SOURCES } from './query.ts';

/** A dashboard before its panels have a place. */
export type Draft = {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly refresh: string;
  readonly from: string;
  readonly variables: readonly VariableFile[];
  readonly rows: readonly { readonly title: string; readonly parts: readonly Part[] }[];
};

/** A question of a placed panel, for tests. */
export type PlacedQuery = Query & { readonly panelId: number; readonly refId: string };

/** A dashboard with its file and its questions. */
export type Built = { readonly file: DashboardFile; readonly queries: readonly PlacedQuery[] };

type PlacedPanel = AnyPanel & { id: number; gridPos: { x: number; y: number; w: number; h: number } };

const COLUMNS = 24;
/** The version of Grafana's dashboard model that these files are written in. */
const SCHEMA_VERSION = 42;

/** Places the panels of each row from left to right, in lines that are as high as their highest panel. Errors: throws when a panel is wider than the page. */
export function buildDashboard(draft: Draft): Built {
  const panels: (RowFile | PlacedPanel)[] = [];
  const queries: PlacedQuery[] = [];
  let id = 0;
  let y = 0;
  for (const { title, parts } of draft.rows) {
    panels.push({ type: 'row', id: ++id, title, collapsed: false, panels: [], gridPos: { x: 0, y, w: COLUMNS, h: 1 } });
    y += 1;
    let x = 0;
    let lineHeight = 0;
    for (const part of parts) {
      const [w, h] = part.size;
      if (w > COLUMNS) throw new Error(`${part.panel.title} is wider than the page`);
      if (x + w > COLUMNS) {
        y += lineHeight;
        x = 0;
        lineHeight = 0;
      }
      const panelId = ++id;
      const targets = part.queries.map((query, index) => ({ ...query.target, refId: refIdOf(index) }));
      part.queries.forEach((query, index) => {
        queries.push({ ...query, panelId, refId: refIdOf(index) });
      });
      const datasource = part.queries[0]?.target.datasource ?? SOURCES.sql;
      panels.push({ ...part.panel, id: panelId, gridPos: { x, y, w, h }, datasource, targets } as PlacedPanel);
      x += w;
      lineHeight = Math.max(lineHeight, h);
    }
    y += lineHeight;
  }
  return { file: fileOf(draft, panels as NonNullable<DashboardFile['panels']>), queries };
}

function fileOf(draft: Draft, panels: NonNullable<DashboardFile['panels']>): DashboardFile {
  return {
    uid: draft.uid,
    title: draft.title,
    description: draft.description,
    tags: ['wickstream'],
    schemaVersion: SCHEMA_VERSION,
    editable: false,
    graphTooltip: 1,
    timezone: 'utc',
    refresh: draft.refresh,
    time: { from: draft.from, to: 'now' },
    annotations: { list: [] },
    links: [
      {
        ...{ type: 'dashboards', title: 'Wickstream', tags: ['wickstream'], icon: 'external link', tooltip: '' },
        ...{ asDropdown: false, includeVars: false, keepTime: true, targetBlank: false, url: '' },
      },
    ],
    templating: { list: [...draft.variables] },
    panels,
  };
}

/** A variable that asks the database for its values. */
export function askedVariable(name: string, label: string, query: string): VariableFile {
  return {
    ...{ type: 'query', name, label, query, datasource: SOURCES.sql, refresh: 1, sort: 1 },
    ...{ multi: false, includeAll: false, hide: 0, skipUrlSync: false, options: [] },
  };
}

/** A variable with the values that are given; the first is chosen. */
export function listedVariable(name: string, label: string, values: readonly string[]): VariableFile {
  const options = values.map((value, index) => ({ text: value, value, selected: index === 0 }));
  return {
    ...{
      type: 'custom',
      name,
      label,
      query: values.join(','),
      multi: false,
      includeAll: false,
      hide: 0,
      skipUrlSync: false,
    },
    options,
    ...(options[0] === undefined ? {} : { current: options[0] }),
  };
}

function refIdOf(index: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + index);
}
