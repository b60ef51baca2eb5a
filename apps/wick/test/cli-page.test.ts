/**
 * Holds docs/CLI.md and the command line against the help: every command, every option, and nothing that is not there.
 * It must not need a running Wickstream.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from '@wickstream/servers/server-folder';
import { describe, expect, it } from 'vitest';
import { commandHelp, formatHelp, type HelpName } from '../src/command-help.ts';

const page = readFileSync(join(checkout, 'docs/CLI.md'), 'utf8');
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((text) => [/^`(\w+)`/.exec(text)?.[1] ?? '', text] as const),
);
const names = Object.keys(commandHelp) as HelpName[];

function wick(...args: string[]) {
  return spawnSync(process.execPath, [join(checkout, 'apps/wick/src/main.ts'), 'wick', ...args], { encoding: 'utf8' });
}

describe('docs/CLI.md', () => {
  it('has a part for each command and none for another', () => {
    expect([...sections.keys()].sort()).toEqual([...names].sort());
  });

  it.each(names)('%s: names its options and no others', (name) => {
    const known: string[] = commandHelp[name].options.map(([option]) => option.split(' ')[0] ?? '');
    const written = [...(sections.get(name) ?? '').matchAll(/`(--[a-z-]+)/g)].map((match) => match[1] ?? '');
    expect([...new Set(written)].sort()).toEqual([...known].sort());
  });
});

describe('the help', () => {
  it('is printed for each command, and lists them all', () => {
    expect(wick('verify', '--help')).toMatchObject({ status: 0, stdout: `${formatHelp('verify')}\n`, stderr: '' });
    const all = wick('--help');
    expect(all.status).toBe(0);
    for (const name of names) expect(all.stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  it('is where a wrong command sends, in one sentence and with exit code 2', () => {
    for (const args of [['nonsense'], ['doctor', '--nonsense'], ['reset', '--nonsense'], ['migrate', 'now'], []]) {
      const { status, stdout, stderr } = wick(...args);
      expect({ args, status, stdout, lines: stderr.trim().split('\n').length }).toEqual({
        args,
        status: 2,
        stdout: '',
        lines: 1,
      });
    }
  });
});
