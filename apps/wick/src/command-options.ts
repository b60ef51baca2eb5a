/**
 * Reads a command's options, by what its help says there is, and the values that several commands share.
 * It must be pure, and must refuse what it does not know in one sentence.
 */
import { parseArgs } from 'node:util';
import { commandHelp, type HelpName } from './command-help.ts';
import { UsageError } from './usage-error.ts';

/** A command's options. Shape: `text` is undefined for an option that was not given. */
export type Options = {
  readonly positionals: readonly string[];
  text(name: string): string | undefined;
  flag(name: string): boolean;
  /** An option that must be given. Errors: UsageError. */
  required(name: string): string;
  /** A whole number from 1 to `max`. Errors: UsageError. */
  count(name: string, fallback: number, max: number): number;
  /** A time in ms since the epoch. Errors: UsageError. */
  timeMs(name: string): number | undefined;
  /** One of a few words, the first by default. Errors: UsageError. */
  choice<T extends string>(name: string, choices: readonly [T, ...T[]]): T;
};

/** Reads the options of a command. Limits: `positionalsMax` words that are no options. Errors: UsageError. */
export function readOptions(command: HelpName, args: readonly string[], positionalsMax = 0): Options {
  const wrong = (message: string) =>
    new UsageError(`${message}; npm run wick -- ${command} --help says what there is.`, 2);
  const { values, positionals } = parse(command, args, wrong);
  if (positionals.length > positionalsMax) throw wrong(`"${positionals[positionalsMax]}" is not an option`);
  const text = (name: string) => {
    const value = values[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  return {
    positionals,
    text,
    flag: (name) => values[name] === true,
    required: (name) => {
      const value = text(name);
      if (value === undefined) throw wrong(`--${name} is missing`);
      return value;
    },
    count: (name, fallback, max) => {
      const value = text(name) ?? String(fallback);
      const number = Number(value);
      if (/^\d+$/.test(value) && number >= 1 && number <= max) return number;
      throw wrong(`--${name} must be a whole number from 1 to ${max}; got "${value}"`);
    },
    timeMs: (name) => {
      const value = text(name);
      if (value === undefined) return undefined;
      const time = parseTime(value);
      if (time === undefined) {
        throw wrong(
          `--${name} must be a time such as 2026-11-21, 2026-11-21T12:30Z or milliseconds since the epoch; got "${value}"`,
        );
      }
      return time;
    },
    choice: (name, choices) => {
      const value = text(name) ?? choices[0];
      const known = choices.find((choice) => choice === value);
      if (known === undefined) throw wrong(`--${name} must be ${choices.join(' or ')}; got "${value}"`);
      return known;
    },
  };
}

/** Reads ISO 8601, in UTC where it names no zone, or ms since the epoch. Units: ms; undefined for anything else. */
export function parseTime(text: string): number | undefined {
  if (/^\d{11,14}$/.test(text)) return Number(text);
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text);
  if (match === null) return undefined;
  const [, day = '', time = '00:00', zone = 'Z'] = match;
  const ms = Date.parse(`${day}T${time}${zone}`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** A time as the commands print it. Units: ms in; ISO 8601 in UTC out, without needless seconds. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(/(?::00)?\.000Z$/, 'Z');
}

function parse(command: HelpName, args: readonly string[], wrong: (message: string) => UsageError) {
  const declared: readonly (readonly [string, string])[] = commandHelp[command].options;
  const options = Object.fromEntries(
    declared.map(([option]) => {
      const [flag = '', value] = option.split(' ');
      return [flag.slice(2), { type: value === undefined ? ('boolean' as const) : ('string' as const) }];
    }),
  );
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw wrong((error instanceof Error ? error.message : String(error)).split(/\.\s|\n/)[0] ?? '');
  }
}
