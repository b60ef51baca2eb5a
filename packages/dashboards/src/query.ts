/**
 * The questions of a panel: SQL to the database, PromQL to Prometheus, LogQL to Loki, and what their answers must hold.
 * It must not know where a panel stands.
 */

/** A question as Grafana keeps it. */
export type Target = Record<string, unknown> & { refId: string; datasource: { type: string; uid: string } };

/** A question with what a test expects of it. Shape: `columns` of a table; `quiet` says why a healthy stack may answer with nothing. */
export type Query = {
  readonly target: Omit<Target, 'refId'> & { datasource: { type: string; uid: string } };
  readonly columns?: readonly string[];
  readonly quiet?: string;
};

/** The data sources by their fixed uids. */
export const SOURCES = {
  sql: { type: 'grafana-postgresql-datasource', uid: 'wickstream' },
  prometheus: { type: 'prometheus', uid: 'prometheus' },
  loki: { type: 'loki', uid: 'loki' },
} as const;

/** Asks the database. Shape: `time_series` needs a column `time`, and `metric` names a series. */
export function sql(
  text: string,
  columns: readonly string[],
  options: { format?: 'table' | 'time_series'; quiet?: string } = {},
): Query {
  const rawSql = text
    .trim()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
  const target = {
    datasource: SOURCES.sql,
    format: options.format ?? 'table',
    rawQuery: true,
    editorMode: 'code',
    rawSql,
  };
  return { target, columns, ...(options.quiet === undefined ? {} : { quiet: options.quiet }) };
}

/** Asks Prometheus for series over the range. Shape: `legend` may name labels as `{{label}}`. */
export function series(expr: string, legend: string, quiet?: string): Query {
  const target = {
    datasource: SOURCES.prometheus,
    ...{ expr, legendFormat: legend, editorMode: 'code', range: true, instant: false },
  };
  return { target, ...(quiet === undefined ? {} : { quiet }) };
}

/** Asks Prometheus for the present values. Shape: `format` table gives a row a series, with its labels as columns. */
export function instant(
  expr: string,
  legend: string,
  options: { format?: 'time_series' | 'table'; quiet?: string } = {},
): Query {
  const target = {
    datasource: SOURCES.prometheus,
    ...{ expr, legendFormat: legend, editorMode: 'code', range: false, instant: true },
    format: options.format ?? 'time_series',
  };
  return { target, ...(options.quiet === undefined ? {} : { quiet: options.quiet }) };
}

/** Asks Loki for lines, newest first. */
export function logLines(expr: string): Query {
  return {
    target: {
      datasource: SOURCES.loki,
      ...{ expr, queryType: 'range', editorMode: 'code', direction: 'backward', maxLines: 1000 },
    },
  };
}

/** The value of a dashboard's variable as an SQL literal: Grafana puts it in, quoted. */
export function chosen(name: string): string {
  return `\${${name}:sqlstring}`;
}
