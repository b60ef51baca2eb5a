/**
 * Holds docs/API.md true: its headings are the described calls, and every example in it is run against a flowing feed.
 * It must not hold examples of its own.
 */
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type LiveFeed, startLiveFeed, until } from './live-feed.ts';

const run = promisify(execFile);
const missing = (program: string): string | undefined =>
  spawnSync('sh', ['-c', `command -v ${program}`]).status === 0 ? undefined : `no ${program} here`;
const noCurl = missing('curl');
const text = readFileSync(join(import.meta.dirname, '../../docs/API.md'), 'utf8');
const sections = text
  .split(/^### /m)
  .slice(1)
  .map((section) => {
    const [heading = ''] = section.split('\n');
    const blocks = [...section.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, kind = '', body = '']) => ({
      kind,
      body: body.trim(),
    }));
    return { heading, blocks };
  });
const calls = sections.filter(({ heading }) => /^(GET|POST) \//.test(heading));
const commands = calls.flatMap(({ heading, blocks }) =>
  blocks.filter(({ kind }) => kind === 'sh').flatMap(({ body }) => body.split('\n').map((line) => ({ heading, line }))),
);

const [engine] = await engines();
if (engine === undefined) throw new Error('no engine');

describe('docs/API.md', () => {
  let feed: LiveFeed;

  beforeAll(async () => {
    feed = await startLiveFeed(engine, 3_000);
    await until('the api is ready', async () => (await fetch(`${feed.base}/readyz`)).ok);
    await until('every channel is stored', async () => {
      const tickers = await feed
        .get<{ tickers: object[] }>('/v1/tickers?symbol=BTCUSDT&window=1d')
        .catch(() => undefined);
      const { symbols } = await feed.get<{ symbols: { sources: string[] }[] }>('/v1/symbols');
      return (
        symbols.length === 2 &&
        symbols.every(({ sources }) => sources.length === 2) &&
        (tickers?.tickers.length ?? 0) > 0
      );
    });
  });

  afterAll(() => feed?.close());

  it('has one heading for each described call', async () => {
    const { paths } = await feed.get<{ paths: Record<string, object> }>('/openapi.json');
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(calls.map(({ heading }) => heading).sort()).toEqual(described.sort());
    expect(calls.every(({ blocks }) => blocks.length > 0)).toBe(true);
  });

  it.for(commands)('$line', async ({ heading, line }, ctx) => {
    if (noCurl) ctx.skip(noCurl);
    expect(line).toContain(heading.split(' ')[1]);
    const script = line.replace(/^curl /, 'curl -sS -w "\\n%{http_code}" ');
    const { stdout } = await run('sh', ['-c', script], {
      env: { ...process.env, BASE: feed.base },
      maxBuffer: 32 * 1024 * 1024,
    });
    const [body = '', status] = [stdout.slice(0, stdout.lastIndexOf('\n')), stdout.slice(stdout.lastIndexOf('\n') + 1)];
    expect([status, body.slice(0, 300)]).toEqual(['200', expect.stringMatching(/\S/)]);
    expect(body.slice(0, 2_000)).not.toMatch(/^\[\]$|^\{"s":"no_data|"candles":\[\]\}/);
  });

  it.each(['GET /v1/stream', 'GET /ws', 'GET /stream'])('messages of %s', async (heading) => {
    const socket = new WebSocket(feed.base.replace('http', 'ws') + heading.slice(4));
    const received: Record<string, unknown>[] = [];
    socket.on('message', (data) => received.push(JSON.parse(String(data)) as Record<string, unknown>));
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    for (const { body } of calls.find((call) => call.heading === heading)?.blocks ?? []) {
      const from = received.length;
      socket.send(body);
      const isReply = (message: Record<string, unknown>) =>
        'result' in message || 'type' in message || 'code' in message;
      await until('a reply', () => received.slice(from).some(isReply));
      if (/"subscribe"/i.test(body)) {
        await until('data', () =>
          received.slice(from).some((message) => 'e' in message || 'data' in message || 'candles' in message),
        );
      }
    }
    expect(received.filter((message) => 'code' in message || message.type === 'error')).toEqual([]);
    socket.terminate();
  });
});
