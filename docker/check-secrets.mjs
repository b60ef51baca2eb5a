/**
 * Ends with 0 when every secret of the stack is one of the operator's own, else says what to mend.
 * It must not print a secret. A simulated market may use the secrets of docker/simulator.env.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const LENGTH_MIN = 16;
const root = join(import.meta.dirname, '..');
const read = (file) =>
  new Map(
    [...readFileSync(join(root, file), 'utf8').matchAll(/^(?:# )?([A-Z_]+_PASSWORD)=(.*)$/gm)].map((one) => [
      one[1],
      one[2],
    ]),
  );
const example = read('.env.example');
const simulator = read('docker/simulator.env');
const isProduction = process.env.FEED !== 'simulator';

function faultOf(name) {
  const value = process.env[name] ?? '';
  if (value === '') return 'is not set';
  if (!isProduction && value === simulator.get(name)) return undefined;
  if (value === example.get(name)) return "is still the example's";
  if (value === simulator.get(name)) return "is the simulator's, which everybody can read";
  if (value.length < LENGTH_MIN) return `is shorter than ${LENGTH_MIN} characters`;
  // They stand in URLs.
  return /^[\w.~-]+$/.test(value) ? undefined : 'holds a character other than A-Z a-z 0-9 _ . ~ -';
}

const faults = [...example.keys()].map((name) => [name, faultOf(name)]).filter(([, fault]) => fault !== undefined);
for (const [name, fault] of faults)
  console.error(
    `${name} ${fault}; set it in .env (sh docker/make-secrets.sh >> .env makes every secret that is not there).`,
  );
process.exitCode = faults.length === 0 ? 0 : 1;
