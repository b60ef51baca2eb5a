/**
 * The soak by hand: faults at random for minutes or hours, then the verdict.
 * It must end with the one line that scripts read, and with exit code 1 when a promise was broken.
 */
import { readSoakOptions, SoakUsageError } from './soak-options.ts';
import { runSoak } from './soak-run.ts';
import { formatVerdict } from './soak-verdict.ts';

const beganMs = Date.now();

function log(line: string): void {
  console.log(`${((Date.now() - beganMs) / 1000).toFixed(1).padStart(7)} s  ${line}`);
}

try {
  const options = readSoakOptions(process.argv.slice(2));
  const result = await runSoak(options, log);
  for (const line of formatVerdict(result)) console.log(line);
  const { sent, injected, lost, twice, wrong, promises } = result;
  console.log(`seed ${options.seed}: ${sent} ticks, ${injected} faults, ${lost} lost, ${twice} twice, ${wrong} wrong`);
  process.exit(promises.every(({ held }) => held) && lost + twice + wrong === 0 ? 0 : 1);
} catch (error) {
  const isUsage = error instanceof SoakUsageError;
  console.error(isUsage ? error.message : error);
  process.exit(isUsage ? 2 : 1);
}
