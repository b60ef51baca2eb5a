/**
 * Writes to the terminal: lines that stay, steps with their time, and one live line at the bottom.
 * It must not put colour codes into any line, so that lines can be read by programs.
 */

/** The terminal of a start. Units: a step's time is since the start, in seconds. */
export type Terminal = {
  say(line: string): void;
  step(name: string, text: string): void;
  live(line: string): void;
  /** Takes the live line away for good; lines and steps can still be written. */
  close(): void;
};

const PLAIN_LIVE_MS = 10_000;

/** Creates a terminal. Limits: without a TTY the live line is written every ten seconds. */
export function createTerminal(output: NodeJS.WriteStream, now: () => number = Date.now): Terminal {
  const startedMs = now();
  let shown = '';
  let closed = false;
  let plainMs = Number.NEGATIVE_INFINITY;
  const clear = () => {
    if (shown) output.write('\r\u001b[2K');
    shown = '';
  };
  const say = (line: string) => {
    const kept = shown;
    clear();
    output.write(`${line}\n`);
    if (kept) show(kept);
  };
  const show = (line: string) => {
    clear();
    shown = line.slice(0, Math.max(20, (output.columns || 120) - 1));
    output.write(shown);
  };
  const live = (line: string) => {
    if (closed) return;
    if (output.isTTY) return show(line);
    if (now() - plainMs < PLAIN_LIVE_MS) return;
    plainMs = now();
    output.write(`${line}\n`);
  };
  const step = (name: string, text: string) => say(formatStep(now() - startedMs, name, text));
  const close = () => {
    clear();
    closed = true;
  };
  return { say, step, live, close };
}

/** Formats a step's line. Units: `elapsedMs` since the start. */
export function formatStep(elapsedMs: number, name: string, text: string): string {
  return `${(elapsedMs / 1000).toFixed(1).padStart(6)} s  ${name.padEnd(11)} ${text}`;
}
