/**
 * The files of the page: a fixed list, read once, with the client's TypeScript made into what a browser runs.
 * It must not read a path that is not in the list, and there is no build step: types are erased when the api starts.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** A file as it is served. Shape: `gzip` where that is shorter; `etag` names the content. */
export type PageFile = {
  readonly path: string;
  readonly type: string;
  readonly body: Buffer;
  readonly gzip: Buffer | undefined;
  readonly etag: string;
};

const FOLDER = join(import.meta.dirname, '../public');
const CHART_FILE = 'dist/lightweight-charts.standalone.production.js';
const [HTML, CSS, SCRIPT] = ['text/html; charset=utf-8', 'text/css; charset=utf-8', 'text/javascript; charset=utf-8'];

const FILES = [
  ['/', 'index.html', HTML],
  ['/docs', 'docs.html', HTML],
  ['/page.css', 'page.css', CSS],
  ['/board.css', 'board.css', CSS],
  ['/docs.js', 'docs.js', SCRIPT],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
  ...[
    'page',
    'page-access',
    'page-chart',
    'page-choices',
    'page-control',
    'page-keys',
    'page-panels',
    'page-status',
    'page-text',
  ].map((name) => [`/${name}.js`, `${name}.js`, SCRIPT] as const),
] as const;

const CLIENT_FILES = ['client', 'candle-list', 'connection', 'follow', 'rest', 'stream', 'wick-error'];

/** Reads every file. Errors: throws when one is missing. */
export function readPageFiles(): PageFile[] {
  const { resolve } = createRequire(import.meta.url);
  const chart = readFileSync(join(resolve('lightweight-charts/package.json'), '..', CHART_FILE));
  return [
    ...FILES.map(([path, name, type]) => fileOf(path, type, readFileSync(join(FOLDER, name)))),
    fileOf('/lightweight-charts.js', SCRIPT, chart),
    ...CLIENT_FILES.map((name) => {
      const source = readFileSync(resolve(`@wickstream/client/${name}`), 'utf8');
      return fileOf(`/client/${name}.js`, SCRIPT, Buffer.from(browserScript(source)));
    }),
  ];
}

function fileOf(path: string, type: string, body: Buffer): PageFile {
  const gzip = gzipSync(body, { level: 9 });
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  return { path, type, body, gzip: gzip.length < body.length ? gzip : undefined, etag };
}

/** The JavaScript of a TypeScript module for browsers. Shape: imports of `./x.ts` become `./x.js`; comments stay. */
export function browserScript(source: string): string {
  const script = quietly(() => stripTypeScriptTypes(source, { mode: 'strip' }));
  const imports = script.replace(/(from '\.\/[a-z-]+)\.ts'/g, "$1.js'");
  return imports.replace(/[ \t]+$/gm, '').replace(/\n{3,}/g, '\n\n');
}

// Node calls the function experimental, on stderr; what it gives is tested here, so an operator need not read that.
function quietly<T>(act: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return act();
  } finally {
    process.emitWarning = emitWarning;
  }
}
