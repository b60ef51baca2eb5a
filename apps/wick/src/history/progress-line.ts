/**
 * One line of progress: a bar, the part done, the rate and the time left.
 * It must be pure; it is handed the time.
 */

/** What is known of the progress. Units: `done` and `total` of one unit (bytes or ids); `rows` so far; ms. */
export type Progress = {
  readonly done: number;
  readonly total: number;
  readonly rows: number;
  readonly elapsedMs: number;
};

const WIDTH = 20;

/** The line, for example `[#####---------------] 25% · 250,000 trades · 98,000/s · 00:07 left`. Shape: `what` are the rows. */
export function formatProgress({ done, total, rows, elapsedMs }: Progress, what: string): string {
  const part = total > 0 ? Math.min(1, done / total) : 1;
  const filled = Math.floor(part * WIDTH);
  const bar = `[${'#'.repeat(filled)}${'-'.repeat(WIDTH - filled)}]`;
  const seconds = elapsedMs / 1000;
  const rate = seconds > 0 ? `${formatCount(rows / seconds)}/s` : '–/s';
  const left = part > 0 && part < 1 && seconds > 1 ? ` · ${formatDuration((seconds / part) * (1 - part))} left` : '';
  return `${bar} ${Math.floor(part * 100)}% · ${formatCount(rows)} ${what} · ${rate}${left}`;
}

/** A count with thousands apart. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A time as `mm:ss`, or `h:mm:ss` from an hour on. Units: s. */
export function formatDuration(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  const short = `${two(minutes)}:${two(whole % 60)}`;
  return hours > 0 ? `${hours}:${short}` : short;
}
