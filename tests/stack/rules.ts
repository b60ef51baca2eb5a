/**
 * Reads prometheus/rules.yml, and makes the copy whose waiting times a test can await.
 * It must leave every expression's meaning alone: only durations change, and the thresholds that are durations.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from '@wickstream/servers/server-folder';
import { parse, stringify } from 'yaml';

/** A rule. Shape: `alert` or `record` names it. */
export type Rule = {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
};

type RuleFile = { groups: { name: string; rules: Rule[] }[] };

const file: RuleFile = parse(readFileSync(join(checkout, 'prometheus/rules.yml'), 'utf8'));

/** Every rule. Order: as in the file. */
export const rules: readonly Rule[] = file.groups.flatMap((group) => group.rules);

const WINDOWS: Readonly<Record<string, string>> = { '[1m]': '[5s]', '[5m]': '[8s]', '[10m]': '[15s]' };
/** Ages that a test cannot wait for. Units: as in the expression. */
const AGES: Readonly<Record<string, readonly [string, string]>> = {
  CandleStale: ['> 60', '> 3'],
  ShardLagHigh: ['> 10000', '> 1500'],
};

/** The rules file with short windows and no waiting. */
export function hastyRules(): string {
  const hasten = (rule: Rule): Rule => {
    const { for: _, ...rest } = rule;
    let expr = rule.expr;
    for (const [window, short] of Object.entries(WINDOWS)) expr = expr.replaceAll(window, short);
    const [age, young] = AGES[rule.alert ?? ''] ?? ['', ''];
    if (!expr.includes(age)) throw new Error(`${rule.alert} has another threshold; mend AGES in tests/stack/rules.ts`);
    return { ...rest, expr: age === '' ? expr : expr.replace(age, young) };
  };
  return stringify({ groups: file.groups.map((group) => ({ ...group, rules: group.rules.map(hasten) })) });
}

/** The names of the metrics that an expression reads, recorded ones not included. */
export function metricsOf(expr: string): string[] {
  return [...new Set(expr.match(/\b(?:wick_|process_|nodejs_|redis_|pg_|node_)\w+|\bup\b/g) ?? [])];
}
