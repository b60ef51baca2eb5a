/**
 * `POST /v1/feed/start` and `/v1/feed/stop`: passed on to ingest, with the caller's key checked first.
 * It must not control anything else.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../api-error.ts';
import { answersOf, FeedAnswer } from '../schemas.ts';
import type { Upstream } from '../upstream.ts';

/** Adds the two routes. Shape: with `apiKeys`, a call needs `Authorization: Bearer <key>`. */
export function addFeedRoutes(app: FastifyInstance, ingest: Upstream, apiKeys: readonly string[]): void {
  const digests = apiKeys.map(digestOf);
  for (const action of ['start', 'stop'] as const) {
    const schema = {
      tags: ['feed'],
      summary: action === 'start' ? 'Lets the feed flow' : 'Holds the feed',
      ...(apiKeys.length > 0 && { security: [{ bearer: [] }] }),
      response: answersOf(FeedAnswer, [401, 403, 503]),
    };
    app.post(`/v1/feed/${action}`, { schema }, async (request) => {
      const { authorization } = request.headers;
      checkKey(authorization, digests);
      return ingest.post(`/${action}`, authorization);
    });
  }
}

function checkKey(authorization: string | undefined, digests: readonly Buffer[]): void {
  if (digests.length === 0) return;
  const key = /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1];
  if (key === undefined) {
    throw new ApiError(401, 'unauthorized', 'a key is needed; send the header Authorization: Bearer <key>');
  }
  const digest = digestOf(key);
  if (digests.some((known) => timingSafeEqual(known, digest))) return;
  throw new ApiError(403, 'forbidden', 'this key is not one of API_KEYS; use another');
}

// Digests have one length, so that comparing them tells nothing of the keys.
function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
