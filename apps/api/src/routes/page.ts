/**
 * The page and its files: a fixed list, read once, served with a strict content policy.
 * It must not serve a path that is not in the list.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';

const FOLDER = join(import.meta.dirname, '../../public');
const CHART_FILE = 'dist/lightweight-charts.standalone.production.js';

const FILES = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/docs', 'docs.html', 'text/html; charset=utf-8'],
  ['/page.css', 'page.css', 'text/css; charset=utf-8'],
  ['/page.js', 'page.js', 'text/javascript; charset=utf-8'],
  ['/page-chart.js', 'page-chart.js', 'text/javascript; charset=utf-8'],
  ['/page-stream.js', 'page-stream.js', 'text/javascript; charset=utf-8'],
  ['/docs.js', 'docs.js', 'text/javascript; charset=utf-8'],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
] as const;

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Adds a route for each file. Errors: throws when a file is missing. */
export function addPageRoutes(app: FastifyInstance): void {
  for (const [path, name, type] of FILES) addFile(app, path, readFileSync(join(FOLDER, name)), type);
  const chart = createRequire(import.meta.url).resolve('lightweight-charts/package.json');
  addFile(app, '/lightweight-charts.js', readFileSync(join(chart, '..', CHART_FILE)), 'text/javascript; charset=utf-8');
}

function addFile(app: FastifyInstance, path: string, body: Buffer, type: string): void {
  app.get(path, { schema: { hide: true } }, (_request, reply) =>
    reply
      .headers({
        'content-type': type,
        'cache-control': 'no-cache',
        'content-security-policy': POLICY,
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
      })
      .send(body),
  );
}
