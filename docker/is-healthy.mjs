/**
 * The health check of a container: asks its app's /healthz and ends with 0 when that answers well.
 * It must not need anything but Node.
 */
const port = process.argv[2] ?? '8080';

try {
  const answer = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(4_000) });
  process.exitCode = answer.ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
