/**
 * The dashboards by the names of their files.
 * It must not write them.
 */
import type { Built } from './dashboard.ts';
import { buildDataQuality } from './data-quality.ts';
import { buildDatabases } from './databases.ts';
import { buildMarket } from './market.ts';
import { buildPipeline } from './pipeline.ts';

/** Every dashboard. Order: as an operator meets them; the first is the home page. */
export const DASHBOARDS: ReadonlyMap<string, Built> = new Map([
  ['market', buildMarket()],
  ['pipeline', buildPipeline()],
  ['data-quality', buildDataQuality()],
  ['databases', buildDatabases()],
]);
