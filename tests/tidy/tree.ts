/**
 * Reads the tracked source tree for the tidy tests: files, imports and exports, as text.
 * It must not run anything of the project.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** A source file. Shape: `path` from the root with slashes; `imports` as written. */
export type SourceFile = { path: string; text: string; imports: string[] };

/** The root of the checkout. */
export const root: string = resolve(import.meta.dirname, '../..');

/** Every file git knows or would add, that still exists. Order: by path. */
export const paths: string[] = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
})
  .toString()
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(root, path)))
  .sort();

/** Every TypeScript file. */
export const sources: SourceFile[] = paths.filter((path) => path.endsWith('.ts')).map(readSource);

/** The files below some `src` folder. */
export const products: SourceFile[] = sources.filter(({ path }) =>
  /^(apps|packages)\/[^/]+\/src\/|^(sql|bench)\/src\//.test(path),
);

/** The workspace package a path belongs to: `apps/api`, `packages/shared`, `sql`, `tests`, `bench`; empty for the root. */
export function packageOf(path: string): string {
  return /^(?:(?:apps|packages)\/[^/]+|sql|tests|bench)(?=\/)/.exec(path)?.[0] ?? '';
}

/** The path of the file that an import means, or undefined when it is not of this repository. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return join(dirname(from), specifier);
  const match = /^@wickstream\/([^/]+)\/(.+)$/.exec(specifier);
  if (match === null) return undefined;
  const folder = match[1] === 'sql' ? 'sql' : `packages/${match[1]}`;
  return `${folder}/src/${match[2]}.ts`;
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8');
  const imports = [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)[^;'"]*?from\s+'([^']+)'|import\s*\(\s*'([^']+)'\s*\)|(?:^|\n)import\s+'([^']+)'/g,
    ),
  ];
  return { path, text, imports: imports.map((match) => match[1] ?? match[2] ?? match[3] ?? '') };
}
