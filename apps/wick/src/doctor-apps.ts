/**
 * The doctor's look at the apps: alive, ready, the shards, and the clock against the exchange's.
 * It must only ask, and judge in pure functions of the answers.
 */
import { fail, type HealthCheck, ok, reasonOf, warn } from './health-check.ts';
import type { RunningPlace } from './running-place.ts';

/** What the doctor reads of `GET /v1/status`. */
export type StatusFacts = {
  readonly feed?: string;
  readonly replay?: { readonly state?: string };
  readonly stale?: boolean;
  readonly problems?: readonly string[];
  readonly shards?: readonly { shard: number; lagMs: number | null; owner: string | null }[];
};

const ANSWER_TIMEOUT_MS = 5_000;
const CLOCK_SAMPLES = 3;
const CLOCK_MS_MAX = 1_000;
const LAG_MS_WARN = 5_000;
const LAG_MS_FAIL = 60_000;
const START = 'start everything with npm start, or see the app’s log';

/** Looks at the apps and the clock. Errors: none; they are lines. Order: the apps, feed, shards, clock. */
export async function checkApps(place: RunningPlace): Promise<HealthCheck[]> {
  const apps = [
    ['ingest', place.ingestUrl],
    ['aggregator', place.aggregatorUrl],
    ['api', place.apiUrl],
  ] as const;
  const [lines, status] = await Promise.all([
    Promise.all(apps.map(([name, url]) => checkApp(name, url))),
    askJson<StatusFacts>(`${place.apiUrl}/v1/status`).catch(() => undefined),
  ]);
  const isReplay = status?.replay !== undefined;
  return [
    ...lines,
    ...(status === undefined ? [] : judgeStatus(status)),
    isReplay ? replayClock() : await checkClock(place.exchangeUrl),
  ];
}

/** Judges the status: the feed, and each shard's owner and lag. Shape: pure. */
export function judgeStatus({ feed, replay, stale, problems = [], shards = [] }: StatusFacts): HealthCheck[] {
  const name = `${feed ?? 'unknown'}${replay ? `, ${replay.state}` : ''}`;
  const flow = stale
    ? warn(
        'feed',
        `${name}: nothing has been stored for seconds`,
        'see ingest’s log, or let it flow with npm run wick -- start',
      )
    : ok('feed', name);
  const told = problems.map((problem) => warn('status', problem, 'see the line of the app or server that it names'));
  return [flow, ...told, judgeShards(shards)];
}

function judgeShards(shards: NonNullable<StatusFacts['shards']>): HealthCheck {
  const orphans = shards.filter(({ owner }) => owner === null).map(({ shard }) => shard);
  if (orphans.length > 0) {
    return fail(
      'shards',
      `nobody holds ${orphans.join(', ')} of ${shards.length}`,
      'start an aggregator, or see its log for why it does not take them',
    );
  }
  const worstMs = Math.max(0, ...shards.map(({ lagMs }) => lagMs ?? 0));
  const owners = new Set(shards.map(({ owner }) => owner));
  const text = `${shards.length} held by ${[...owners].join(', ') || 'nobody'}, worst lag ${Math.round(worstMs)} ms`;
  const mend = 'see whether the database is slow, or add an aggregator';
  if (worstMs > LAG_MS_FAIL) return fail('shards', text, mend);
  return worstMs > LAG_MS_WARN ? warn('shards', text, mend) : ok('shards', text);
}

/** Judges this machine's clock against the exchange's. Units: ms; positive when ours is ahead. Shape: pure. */
export function judgeClock(aheadMs: number, roundTripMs: number): HealthCheck {
  const way = aheadMs < 0 ? 'behind' : 'ahead of';
  const text = `${Math.round(Math.abs(aheadMs))} ms ${way} the exchange (asked in ${Math.round(roundTripMs)} ms)`;
  // The answer's own way hides as much as half of the round trip.
  if (Math.abs(aheadMs) <= CLOCK_MS_MAX + roundTripMs / 2) return ok('clock', text);
  return warn('clock', text, 'run a time service such as chrony; until then ingest corrects the times by itself');
}

async function checkApp(name: string, url: string): Promise<HealthCheck> {
  try {
    await askJson(`${url}/healthz`);
  } catch (error) {
    return fail(name, `${url} does not answer (${reasonOf(error)})`, START);
  }
  try {
    await askJson(`${url}/readyz`);
    return ok(name, `${url} is ready`);
  } catch (error) {
    return fail(name, `${url} lives and is not ready`, reasonOf(error));
  }
}

function replayClock(): HealthCheck {
  return ok('clock', 'a replay goes by the recording’s');
}

async function checkClock(exchangeUrl: string): Promise<HealthCheck> {
  try {
    const samples: { aheadMs: number; tookMs: number }[] = [];
    for (let i = 0; i < CLOCK_SAMPLES; i++) samples.push(await sampleClock(exchangeUrl));
    const best = samples.reduce((a, b) => (b.tookMs < a.tookMs ? b : a));
    return judgeClock(best.aheadMs, best.tookMs);
  } catch (error) {
    return warn(
      'clock',
      `the exchange at ${exchangeUrl} tells no time (${reasonOf(error)})`,
      'check the network and BINANCE_REST_URL',
    );
  }
}

async function sampleClock(exchangeUrl: string): Promise<{ aheadMs: number; tookMs: number }> {
  const sentMs = Date.now();
  const { serverTime } = await askJson<{ serverTime?: number }>(`${exchangeUrl}/api/v3/time`);
  const tookMs = Date.now() - sentMs;
  if (typeof serverTime !== 'number') throw new Error('its answer holds no serverTime');
  return { aheadMs: sentMs + tookMs / 2 - serverTime, tookMs };
}

async function askJson<T>(url: string): Promise<T> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  const body = (await answer.json()) as T & { error?: { message?: string } };
  if (!answer.ok) throw new Error(body.error?.message ?? `HTTP ${answer.status}`);
  return body;
}
