/**
 * What a bench is: a name, a target, and a run that gives one row of the table.
 * It must hold types only; each bench is a file of its own.
 */
import type { Engine } from './engines.ts';

/** How long the benches run: `quick` for CI (broken or not), `default` for the table, `long` with the slow ones. */
export type Form = 'quick' | 'default' | 'long';

/** What a bench is given. Shape: `engine` is the database to measure with; `closing` runs its functions, last first, after the bench. */
export type BenchContext = {
  readonly engine: Engine;
  readonly form: Form;
  /** Where CPU profiles of the apps go; profiling costs speed. */
  readonly profile: string | undefined;
  say(line: string): void;
  closing(close: () => Promise<unknown>): void;
  /** Makes something once per engine, for several benches; it is closed at the end of the engine's benches. */
  shared<T extends { close(): Promise<unknown> }>(key: string, make: () => Promise<T>): Promise<T>;
};

/** What a bench found. Shape: `passed` undefined where there is no target; `details` are lines for under the table; `figures` are for programs. */
export type Outcome = {
  readonly result: string;
  readonly passed: boolean | undefined;
  readonly details?: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
};

/** A bench. Shape: `perEngine` runs it once for each engine; `longOnly` only with `--long`; `notHere` says why it cannot run. */
export type Scenario = {
  readonly name: string;
  readonly what: string;
  readonly target: string;
  readonly perEngine: boolean;
  readonly longOnly?: boolean;
  run(context: BenchContext): Promise<Outcome>;
};
