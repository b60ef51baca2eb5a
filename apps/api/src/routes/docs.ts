/**
 * `/openapi.json` and `/docs`: the document made from the schemas that validate, and a page that shows it.
 * It must not describe a call by hand that has a schema, nor load anything from elsewhere.
 */
import type { FastifyInstance } from 'fastify';

/** Adds the document; the page is one of the static files. */
export function addDocsRoutes(app: FastifyInstance): void {
  const schema = { tags: ['status'], summary: 'This document' };
  app.get('/openapi.json', { schema }, () => app.swagger());
}
