/**
 * The headers that every answer carries, and what a page of another origin may read.
 * It must not decide about a request; the door does.
 */
import type { FastifyInstance } from 'fastify';
import type { OriginCheck } from './origin-check.ts';

/** The content policy of the page's files: everything from here, nothing from elsewhere; styles are set inline by the chart library. */
export const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const DATA_POLICY = "default-src 'none'; frame-ancestors 'none'";

const ALWAYS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': DATA_POLICY,
} as const;

/** Adds the headers and the answers to preflights. Shape: an origin that is not listed gets no permission, which its browser obeys. */
export function addSecurityHeaders(app: FastifyInstance, origins: Pick<OriginCheck, 'isListed'>): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(ALWAYS);
    const { origin } = request.raw.headers;
    if (origin === undefined) {
      done();
      return;
    }
    reply.header('vary', 'origin');
    if (!origins.isListed(origin)) {
      done();
      return;
    }
    reply.headers({ 'access-control-allow-origin': origin, 'access-control-expose-headers': 'retry-after' });
    if (request.method !== 'OPTIONS') {
      done();
      return;
    }
    reply.headers({
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'authorization, content-type, x-mbx-time-unit',
      'access-control-max-age': 600,
    });
    void reply.status(204).send();
  });
}
