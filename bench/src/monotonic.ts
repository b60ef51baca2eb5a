/**
 * A clock that all processes of this machine share, for latencies across processes.
 * It must not be the wall clock, which may jump.
 */
const offsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Now. Units: ms since the machine's start, with fractions. */
export function monotonicMs(): number {
  return performance.now() + offsetMs;
}
