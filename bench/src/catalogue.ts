/**
 * All benches in the order of the table.
 * It must name each one once.
 */
import { latency } from './benches/latency.ts';
import type { Scenario } from './scenario.ts';

/** Every bench. */
export const catalogue: readonly Scenario[] = [latency];
