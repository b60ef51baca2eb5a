/**
 * Holds the house's rules by reading the tree: who may import whom, headers, documented exports, dead files.
 * A rule that this file does not hold is not a rule.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageOf, paths, products, resolveImport, root, type SourceFile, sources } from './tree.ts';

const LINES_MAX = 400;
const HEADER = /^(?:#!.*\n)?\/\*\*([\s\S]*?)\*\//;

describe('imports', () => {
  it('apps meet only in shared contracts and sql', () => {
    const allowed = new Set(['packages/shared', 'sql']);
    const wrong = crossings().filter(
      ({ from, to }) => from.startsWith('apps/') && from !== 'apps/wick' && !allowed.has(to),
    );
    expect(wrong).toEqual([]);
  });

  it('the command line starts servers and migrations, never an app', () => {
    const wrong = crossings().filter(({ from, to }) => from === 'apps/wick' && to.startsWith('apps/'));
    expect(wrong).toEqual([]);
  });

  it('shared imports no other package of ours', () => {
    expect(crossings().filter(({ from }) => from === 'packages/shared')).toEqual([]);
  });

  it('nothing of the product knows the benches', () => {
    expect(crossings().filter(({ to }) => to === 'bench')).toEqual([]);
  });

  // The driver drops the promise of its own question for types: a connection that breaks just then ends the process.
  it('of the product let the database driver ask for no types', () => {
    const wrong = products.flatMap(({ path, text }) =>
      [...text.matchAll(/\bpostgres\(/g)]
        .filter(({ index }) => !text.slice(index, index + 400).includes('fetch_types: '))
        .map(() => path),
    );
    expect(wrong).toEqual([]);
  });

  it('lead to files that exist', () => {
    const known = new Set(paths);
    const wrong = sources.flatMap(({ path, imports }) =>
      imports.flatMap((specifier) => {
        const target = resolveImport(path, specifier);
        return target === undefined || known.has(target) ? [] : [`${path}: ${specifier}`];
      }),
    );
    expect(wrong).toEqual([]);
  });

  it('between the folders of the aggregator lead up the table of docs/ARCHITECTURE.md', () => {
    expect(folderFaults('apps/aggregator/src/', '## The folders of the aggregator')).toEqual([]);
  });

  it('make no cycle', () => {
    expect(cycles(sources)).toEqual([]);
  });

  it('name only declared dependencies, and each declared one is used', () => {
    expect(dependencyFaults()).toEqual([]);
  });
});

describe('files', () => {
  it('are named in kebab case', () => {
    const wrong = sources.filter(({ path }) => !/^([a-z0-9.-]+\/)*[a-z0-9]+([.-][a-z0-9]+)*\.ts$/.test(path));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('open with two sentences: what it is, and what it must not do', () => {
    const wrong = products.filter(({ text }) => sentences(HEADER.exec(text)?.[1] ?? '') < 2);
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it(`have at most ${LINES_MAX} lines`, () => {
    const wrong = sources.filter(({ text }) => text.split('\n').length > LINES_MAX + 1);
    expect(wrong.map(({ path, text }) => `${path}: ${text.split('\n').length}`)).toEqual([]);
  });

  it('are all reached from a main file, a test or a package that uses them', () => {
    expect(deadFiles()).toEqual([]);
  });

  it('read the environment in one place', () => {
    const allowed = /^packages\/(servers\/src|shared\/src\/environment\.ts)|^apps\/wick\/src\//;
    const wrong = products.filter(({ path, text }) => text.includes('process.env') && !allowed.test(path));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('leave no loose ends', () => {
    const loose =
      /\b(?:TODO|FIXME|XXX)\b|@ts-(?:ignore|nocheck|expect-error)|\bas any\b|\.(?:only|todo)\(|\benum\s+[A-Z]|\bnamespace\s+[A-Z]/;
    const wrong = sources.filter(({ path, text }) => !path.startsWith('tests/tidy/') && loose.test(text));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});

describe('exports', () => {
  it('each has a doc comment', () => {
    const wrong = products.flatMap(({ path, text }) => undocumented(text).map((name) => `${path}: ${name}`));
    expect(wrong).toEqual([]);
  });

  it('are not gathered in barrels', () => {
    const wrong = products.filter(({ text }) => /^\s*export \* from/m.test(text));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('are named, never default', () => {
    const wrong = products.filter(({ text }) => /^export default/m.test(text));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});

describe('the repository', () => {
  it('names no registry host and no home folder', () => {
    const hosts = ['registry', 'npmjs', 'org'].join('.');
    const wrong = paths.filter((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      return text.includes(hosts) || /(?<![\w.])\/(?:root|home\/[a-z]+)\//.test(text);
    });
    expect(wrong).toEqual([]);
  });
});

function crossings(): { from: string; to: string; file: string }[] {
  return products.flatMap(({ path, imports }) =>
    imports.flatMap((specifier) => {
      const target = resolveImport(path, specifier);
      const [from, to] = [packageOf(path), target === undefined ? '' : packageOf(target)];
      return target === undefined || from === to ? [] : [{ from, to, file: path }];
    }),
  );
}

function folderFaults(base: string, heading: string): string[] {
  const page = readFileSync(join(root, 'docs/ARCHITECTURE.md'), 'utf8');
  const [table = ''] = (page.split(heading)[1] ?? '').split('\n## ');
  const order = [...table.matchAll(/^\| `([a-z]+)` \|/gm)].map((match) => match[1] ?? '');
  const own = products.filter(({ path }) => path.startsWith(base));
  const folderOf = (path: string): string =>
    path.startsWith(base) ? (path.slice(base.length).split('/').at(-2) ?? '') : '';
  const downward = own.flatMap(({ path, imports }) =>
    imports
      .map((specifier) => folderOf(resolveImport(path, specifier) ?? ''))
      .filter((to) => folderOf(path) !== '' && order.indexOf(to) > order.indexOf(folderOf(path)))
      .map((to) => `${path} imports ${to}`),
  );
  const unnamed = own.map(({ path }) => folderOf(path)).filter((name) => name !== '' && !order.includes(name));
  return [...downward, ...unnamed.map((name) => `the table has no ${name}`)];
}

function cycles(files: readonly SourceFile[]): string[] {
  const graph = new Map(files.map(({ path, imports }) => [path, imports.map((one) => resolveImport(path, one) ?? '')]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: string[]): void => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
    if (done.has(path) || trail.includes(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

function deadFiles(): string[] {
  const used = new Set(sources.flatMap(({ path, imports }) => imports.map((one) => resolveImport(path, one) ?? '')));
  return products.map(({ path }) => path).filter((path) => !used.has(path) && !path.endsWith('/main.ts'));
}

function dependencyFaults(): string[] {
  return paths
    .filter((path) => path.endsWith('package.json') && packageOf(path) !== '')
    .flatMap((path) => {
      const manifest = JSON.parse(readFileSync(join(root, path), 'utf8')) as Record<string, Record<string, string>>;
      const declared = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
      const own = sources.filter((source) => packageOf(source.path) === packageOf(path));
      const used = new Set(own.flatMap(({ imports }) => imports.map(packageName)));
      const texts = own.map(({ text }) => text);
      const unused = declared.filter((name) => !used.has(name) && !texts.some((text) => text.includes(name)));
      const tools = new Set(['vitest', ...Object.keys(manifest.devDependencies ?? {})]);
      const missing = [...used].filter((name) => name !== '' && !declared.includes(name) && !tools.has(name));
      return [
        ...unused.map((name) => `${path}: ${name} is not used`),
        ...missing.map((name) => `${path}: ${name} is not declared`),
      ];
    });
}

function packageName(specifier: string): string {
  if (specifier.startsWith('.') || specifier.startsWith('node:')) return '';
  const [first = '', second = ''] = specifier.split('/');
  return first.startsWith('@') ? `${first}/${second}` : first;
}

function undocumented(text: string): string[] {
  const lines = text.split('\n');
  return lines.flatMap((line, i) => {
    const match =
      /^export (?:declare )?(?:abstract )?(?:async )?(?:const|let|function\*?|class|type|interface) (\w+)/.exec(line);
    if (match === null) return [];
    const overload = lines[i - 1]?.startsWith(`export function ${match[1]}(`) === true;
    return overload || lines[i - 1]?.trimEnd().endsWith('*/') ? [] : [match[1] ?? ''];
  });
}

function sentences(comment: string): number {
  const text = comment
    .replace(/^\s*\*\s?/gm, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return (text.match(/[.;:!?](?=\s|$)/g) ?? []).length;
}
