/**
 * The command line: finds the command by its name and runs it.
 * It must not hold the work of any command, nor load the code of the others.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadEnvFile } from 'node:process';
import { checkout } from '@wickstream/servers/server-folder';
import { commandHelp, formatHelp, formatOverview, type HelpName } from './command-help.ts';
import { UsageError } from './usage-error.ts';

/** A command gets its arguments and returns the exit code. */
type Command = (args: string[]) => Promise<number>;

const commands: Record<string, () => Promise<Command>> = {
  start: async () => (await import('./start.ts')).start,
  test: async () => (await import('./test-command.ts')).runTests,
  check: async () => (await import('./check-command.ts')).runChecks,
  bench: async () => (await import('./bench-command.ts')).runBenches,
  soak: async () => (await import('./soak-command.ts')).runSoak,
  wick: async () => runWick,
};

const wickCommands: Record<string, () => Promise<Command>> = {
  status: async () => (await import('./api-commands.ts')).showStatus,
  symbols: async () => (await import('./api-commands.ts')).showSymbols,
  start: async () => (await import('./api-commands.ts')).startFeed,
  stop: async () => (await import('./api-commands.ts')).stopFeed,
  migrate: async () => (await import('./migrate-command.ts')).runMigrate,
  reset: async () => (await import('./reset-command.ts')).runReset,
  replay: async () => (await import('./replay-command.ts')).runReplay,
  verify: async () => (await import('./verify-command.ts')).verify,
  export: async () => (await import('./export-command.ts')).runExport,
  quarantine: async () => (await import('./quarantine-command.ts')).runQuarantine,
  jobs: async () => (await import('./job-commands.ts')).showJobs,
  report: async () => (await import('./job-commands.ts')).showReport,
  keys: async () => (await import('./keys-command.ts')).runKeys,
  doctor: async () => (await import('./doctor-command.ts')).runDoctor,
  backfill: async () => (await import('./backfill-command.ts')).runBackfill,
  import: async () => (await import('./import-command.ts')).runImport,
};

const HELP = ['--help', '-h', 'help'];

async function runWick(args: string[]): Promise<number> {
  const [name = '', ...rest] = args;
  const isKnown = Object.hasOwn(commandHelp, name);
  if (HELP.includes(name) || (isKnown && rest.some((one) => one === '--help' || one === '-h'))) {
    console.log(isKnown ? formatHelp(name as HelpName) : formatOverview());
    return 0;
  }
  return runNamed(wickCommands, args, 'npm run wick --');
}

async function runNamed(table: Record<string, () => Promise<Command>>, args: string[], prefix: string) {
  const [name = '', ...rest] = args;
  const load = Object.hasOwn(table, name) ? table[name] : undefined;
  if (!load) {
    const said = name ? `There is no command "${name}"` : 'No command was given';
    throw new UsageError(`${said}; use ${prefix} ${Object.keys(table).join('|')}.`, 2);
  }
  return (await load())(rest);
}

try {
  const file = join(checkout, '.env');
  if (existsSync(file)) loadEnvFile(file);
  // A command that has returned has closed what it opened; nothing that still waits for an answer may hold the process.
  process.exit(await runNamed(commands, process.argv.slice(2), 'npm run'));
} catch (error) {
  const expected = error instanceof UsageError;
  console.error(expected ? error.message : error);
  process.exit(expected ? error.exitCode : 1);
}
