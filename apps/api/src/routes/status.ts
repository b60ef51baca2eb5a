/**
 * `GET /v1/status`, `/healthz` and `/readyz`: how the whole is, whether this process lives, and whether it can answer.
 * It must not do the asking itself; the status does.
 */
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../api-error.ts';
import type { LiveMemory } from '../live-memory.ts';
import { answersOf, HealthAnswer, NoQuery } from '../schemas.ts';
import type { StatusReader } from '../status.ts';
import { StatusAnswer } from '../status-schema.ts';

/** Adds the three routes. */
export function addStatusRoutes(app: FastifyInstance, status: StatusReader, memory: LiveMemory): void {
  const tags = ['status'];
  const schema = { tags, summary: 'How the whole is', querystring: NoQuery, response: answersOf(StatusAnswer, [503]) };
  app.get('/v1/status', { schema }, () => status.read());
  const health = { tags, response: answersOf(HealthAnswer, [503]) };
  const config = { access: 'nothing' } as const;
  app.get('/healthz', { config, schema: { ...health, summary: 'Whether the process lives' } }, () => ({
    status: 'ok',
  }));
  app.get('/readyz', { config, schema: { ...health, summary: 'Whether the base is loaded' } }, () => {
    if (memory.isReady()) return { status: 'ready' };
    throw new ApiError(503, 'not_ready', 'the base is not loaded yet; wait, or see whether the database answers');
  });
}
