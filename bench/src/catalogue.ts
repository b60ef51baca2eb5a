/**
 * All benches in the order of the table.
 * It must name each one once.
 */
import { drain } from './benches/drain.ts';
import { fanOut } from './benches/fan-out.ts';
import { growth } from './benches/growth.ts';
import { history } from './benches/history.ts';
import { hundredfold } from './benches/hundredfold.ts';
import { importing } from './benches/import.ts';
import { knee } from './benches/knee.ts';
import { latency } from './benches/latency.ts';
import { panels } from './benches/panels.ts';
import { read } from './benches/read.ts';
import { size } from './benches/size.ts';
import { stages } from './benches/stages.ts';
import { start } from './benches/start.ts';
import { take } from './benches/take.ts';
import { wholeMarket } from './benches/whole-market.ts';
import type { Scenario } from './scenario.ts';

/** Every bench. */
export const catalogue: readonly Scenario[] = [
  latency,
  hundredfold,
  drain,
  knee,
  wholeMarket,
  read,
  fanOut,
  history,
  panels,
  importing,
  size,
  growth,
  take,
  start,
  stages,
];
