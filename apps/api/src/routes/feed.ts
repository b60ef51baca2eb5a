/**
 * `POST /v1/feed/start` and `/v1/feed/stop`: passed on to ingest, with the caller's key, which the door has checked.
 * It must not control anything else.
 */
import type { FastifyInstance } from 'fastify';
import { answersOf, FeedAnswer } from '../schemas.ts';
import type { Upstream } from '../upstream.ts';

/** Adds the two routes. Shape: they need the scope control. */
export function addFeedRoutes(app: FastifyInstance, ingest: Upstream): void {
  for (const action of ['start', 'stop'] as const) {
    const schema = {
      tags: ['feed'],
      summary: action === 'start' ? 'Lets the feed flow' : 'Holds the feed',
      description: 'With API_KEYS set it needs a key of the scope control.',
      security: [{ bearer: [] }, {}],
      response: answersOf(FeedAnswer, [401, 403, 429, 503]),
    };
    app.post(`/v1/feed/${action}`, { schema, config: { access: 'control' } }, async (request) => {
      return ingest.post(`/${action}`, request.headers.authorization);
    });
  }
}
