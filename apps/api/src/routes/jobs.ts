/**
 * `GET /v1/jobs` and `GET /v1/reports`: how the jobs went, and what they found of each day.
 * It must not start a job; the aggregators' schedule does.
 */
import type { FastifyInstance } from 'fastify';
import type { JobReads } from '../job-reads.ts';
import { JobsAnswer, ReportsAnswer, ReportsQuery, type ReportsQueryType } from '../job-schemas.ts';
import { answersOf, NoQuery } from '../schemas.ts';

const REPORTS = 7;

/** Adds the two routes. */
export function addJobRoutes(app: FastifyInstance, reads: JobReads, venue: string): void {
  const tags = ['status'];
  const jobs = {
    ...{ tags, summary: 'Jobs: last run, next run, outcome, duration' },
    ...{ querystring: NoQuery, response: answersOf(JobsAnswer, [400, 429, 503]) },
  };
  app.get('/v1/jobs', { schema: jobs }, async () => ({ jobs: await reads.jobs() }));
  const reports = {
    ...{ tags, summary: 'Daily reports: coverage, differences to the venue’s klines, quarantined, sizes' },
    ...{ querystring: ReportsQuery, response: answersOf(ReportsAnswer, [400, 429, 503]) },
  };
  app.get<{ Querystring: ReportsQueryType }>('/v1/reports', { schema: reports }, async ({ query }) => {
    return { venue, reports: await reads.reports(venue, query.day, query.limit ?? REPORTS) };
  });
}
