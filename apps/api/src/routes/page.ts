/**
 * The page and its files as routes, with a strict content policy.
 * It must not serve a path that is not in the list of files.
 */
import type { FastifyInstance } from 'fastify';
import { type PageFile, readPageFiles } from '../page-files.ts';
import { PAGE_POLICY } from '../security-headers.ts';

/** Adds a route for each file. Errors: throws when a file is missing. */
export function addPageRoutes(app: FastifyInstance): void {
  for (const file of readPageFiles()) addFile(app, file);
}

function addFile(app: FastifyInstance, { path, type, body, gzip, etag }: PageFile): void {
  app.get(path, { schema: { hide: true }, config: { access: 'nothing' } }, (request, reply) => {
    const { 'if-none-match': known, 'accept-encoding': accepted } = request.headers;
    reply.headers({
      'cache-control': 'no-cache',
      'content-security-policy': PAGE_POLICY,
      etag,
      vary: 'accept-encoding',
    });
    if (known?.includes(etag) === true) return reply.status(304).send();
    reply.header('content-type', type);
    if (gzip === undefined || !/\bgzip\b/.test(String(accepted))) return reply.send(body);
    return reply.header('content-encoding', 'gzip').send(gzip);
  });
}
