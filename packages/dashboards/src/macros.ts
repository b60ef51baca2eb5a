/**
 * Puts times, intervals and variables into a panel's question as Grafana does before it asks.
 * It must know the macros that the dashboards use, and refuse every other.
 */

/** What a reader chose. Units: ms since the epoch; `intervalMs` is the width of a point. */
export type View = {
  readonly fromMs: number;
  readonly toMs: number;
  readonly intervalMs: number;
  readonly variables: Readonly<Record<string, string>>;
};

/** Expands SQL. Errors: throws for a macro or variable that is not known. */
export function expandSql(text: string, view: View): string {
  const [from, to] = [isoOf(view.fromMs), isoOf(view.toMs)];
  const sql = text
    .replaceAll(/\$__timeFilter\(([^)]+)\)/g, (_, column: string) => `${column} BETWEEN ${from} AND ${to}`)
    .replaceAll('$__timeFrom()', from)
    .replaceAll('$__timeTo()', to)
    .replaceAll('$__interval_ms', String(view.intervalMs))
    .replaceAll(/\$\{(\w+):sqlstring\}/g, (_, name: string) => quoted(chosenValue(name, view)));
  return checked(sql);
}

/** Expands PromQL. Units: `scrapeSeconds` between two readings. Errors: as expandSql. */
export function expandPromql(text: string, scrapeSeconds: number): string {
  return checked(text.replaceAll('$__rate_interval', `${scrapeSeconds * 4}s`));
}

function chosenValue(name: string, view: View): string {
  const value = view.variables[name];
  if (value === undefined) throw new Error(`the dashboard has no variable ${name}`);
  return value;
}

function checked(text: string): string {
  const left = /\$(?:__\w+|\{\w+[^}]*\})/.exec(text)?.[0];
  if (left !== undefined) throw new Error(`${left} is not known: ${text}`);
  return text;
}

function isoOf(ms: number): string {
  return `'${new Date(ms).toISOString()}'`;
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
