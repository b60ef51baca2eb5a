/**
 * Reads the arguments of npm run bench.
 * It must not run anything; an argument it does not know is an error that says what there is.
 */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { checkout } from '@wickstream/servers/server-folder';
import { ENGINE_NAMES, type EngineName } from './engines.ts';
import type { Form } from './scenario.ts';

/** What to run. Shape: `only` names benches, all when empty; `folder` gets BENCHMARKS.md and benchmarks.json, `profile` CPU profiles of the apps. */
export type BenchOptions = {
  readonly form: Form;
  readonly only: readonly string[];
  readonly engines: readonly EngineName[];
  readonly folder: string;
  readonly profile: string | undefined;
};

/** An argument that cannot be used; the message says the mend. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

/** Reads the arguments. Errors: OptionError. */
export function readOptions(args: readonly string[], known: readonly string[]): BenchOptions {
  const { quick, long, only = [], engine = [], out, profile } = parse(args);
  if (quick && long) throw new OptionError('Give --quick or --long, not both.');
  const names = only.flatMap((one) => one.split(','));
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new OptionError(`There is no bench "${unknown}"; there are ${known.join(', ')}.`);
  const engines = engine.flatMap((one) => one.split(',')).map(engineOf);
  return {
    form: quick ? 'quick' : long ? 'long' : 'default',
    only: names,
    engines: engines.length > 0 ? engines : ENGINE_NAMES,
    folder: resolve(out ?? join(checkout, 'docs')),
    profile: profile === undefined ? undefined : resolve(profile),
  };
}

function parse(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        quick: { type: 'boolean', default: false },
        long: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true },
        engine: { type: 'string', multiple: true },
        out: { type: 'string' },
        profile: { type: 'string' },
      },
    });
    return values;
  } catch (error) {
    const usage =
      'npm run bench [-- --quick|--long] [--only NAME] [--engine timescaledb|postgresql] [--out FOLDER] [--profile FOLDER]';
    throw new OptionError(`${error instanceof Error ? error.message : error}\n${usage}`);
  }
}

function engineOf(name: string): EngineName {
  const engine = ENGINE_NAMES.find((known) => known === name);
  if (engine === undefined)
    throw new OptionError(`There is no engine "${name}"; there are ${ENGINE_NAMES.join(', ')}.`);
  return engine;
}
