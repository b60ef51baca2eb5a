/**
 * Reads docker-compose.yml as docker would: merged, with variables put in, in the order of its conditions.
 * It must not start anything.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from '@wickstream/servers/server-folder';
import { parse } from 'yaml';

/** One service after its variables were put in. */
export type ComposeService = {
  readonly image: string;
  readonly entrypoint?: readonly string[];
  readonly command?: string | readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly profiles?: readonly string[];
};

/** Reads a file of variables. */
export function readVariables(file: string): Record<string, string> {
  const text = readFileSync(join(checkout, file), 'utf8');
  return Object.fromEntries(
    [...text.matchAll(/^([A-Z0-9_]+)=(.*)$/gm)].map((match) => [match[1] ?? '', match[2] ?? '']),
  );
}

/** Reads the services with these variables. Errors: throws, with the file's own words, when a needed one is not set. */
export function readServices(variables: Readonly<Record<string, string>>): Map<string, ComposeService> {
  const file: { services: Record<string, ComposeService> } = parse(
    readFileSync(join(checkout, 'docker-compose.yml'), 'utf8'),
    {
      merge: true,
    },
  );
  return new Map(
    Object.entries(file.services).map(([name, service]) => [name, putIn(service, variables) as ComposeService]),
  );
}

/** The services so that each comes after those that it waits for. */
export function startOrder(services: ReadonlyMap<string, ComposeService>): string[] {
  const order: string[] = [];
  const visit = (name: string): void => {
    if (order.includes(name)) return;
    for (const needed of Object.keys(services.get(name)?.depends_on ?? {})) visit(needed);
    order.push(name);
  };
  for (const name of services.keys()) visit(name);
  return order;
}

function putIn(value: unknown, variables: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') return expand(value, variables);
  if (Array.isArray(value)) return value.map((item) => putIn(item, variables));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, putIn(item, variables)]));
}

// The two forms that the file uses: a default when empty, and an error when empty.
function expand(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{([A-Z0-9_]+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind = '', rest = '') => {
    const value = variables[name] ?? '';
    if (value !== '') return value;
    if (kind === '?') throw new Error(`${name} ${rest}`);
    return rest;
  });
}
