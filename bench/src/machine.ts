/**
 * Describes the machine and the source that a measurement belongs to.
 * It must not measure anything.
 */
import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { checkout } from '@wickstream/servers/server-folder';

/** The machine in one line: CPU model, cores, memory, Node. */
export function describeMachine(): string {
  const [first, ...others] = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const model = first?.model.replace(/\s+/g, ' ').trim() ?? 'unknown CPU';
  return `${model}, ${others.length + 1} cores, ${gigabytes} GiB memory, Node ${process.versions.node}`;
}

/** The commit of the checkout, with a plus when product code differs from it; "unknown" outside a repository. */
export function describeCommit(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { cwd: checkout, stdio: 'pipe' }).toString().trim();
    const changed = git('status', '--porcelain', '--', 'apps', 'packages', 'sql', 'bench') !== '';
    return git('rev-parse', '--short=10', 'HEAD') + (changed ? '+' : '');
  } catch {
    return 'unknown';
  }
}
