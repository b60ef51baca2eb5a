/**
 * CPU time and memory of processes, from /proc.
 * It must not be needed for a result: where there is no /proc, it answers zero.
 */
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_A_SECOND = 100;

/** CPU time that a process has used, with that of its running children when asked for. Units: ms; 0 when unknown. */
export function cpuMsOf(pid: number, withChildren = false): number {
  const pids = withChildren ? [pid, ...childrenOf(pid)] : [pid];
  return pids.reduce((sum, one) => sum + ownCpuMs(one), 0);
}

/** Resident memory of a process. Units: bytes; 0 when unknown. */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`));
  return Number(line?.[1] ?? 0) * 1024;
}

function ownCpuMs(pid: number): number {
  const fields = fieldsOf(pid);
  return ((Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 1000) / TICKS_A_SECOND;
}

function childrenOf(pid: number): number[] {
  try {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.map(Number).filter((one) => fieldsOf(one)[1] === String(pid));
  } catch {
    return [];
  }
}

// The name may hold blanks and brackets; what follows the last bracket does not.
function fieldsOf(pid: number): string[] {
  const text = read(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
