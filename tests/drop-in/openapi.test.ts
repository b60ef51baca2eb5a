/**
 * The OpenAPI document against a flowing feed: linted, and every operation asked with valid, boundary and garbage parameters made from it.
 * It must know no call by itself: what is described is asked, and what is answered must be described.
 */
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { engines } from '@wickstream/servers/fixture';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LiveFeed, startLiveFeed, until } from './live-feed.ts';
import { type Asked, askedOf, createSeeded, type Operation } from './request-fuzzer.ts';

const SEED = Number(process.env.WICK_SEED ?? 20_241_121);
const ROUNDS = 30;
const AT_ONCE = 8;

type Document = { paths: Record<string, Record<string, Operation>> };

const [engine] = await engines();
if (engine === undefined) throw new Error('no engine');

describe(`the OpenAPI document (WICK_SEED=${SEED})`, () => {
  let feed: LiveFeed;
  let text: string;
  let operations: Operation[];

  beforeAll(async () => {
    feed = await startLiveFeed(engine, 1_200);
    await until('both symbols are recorded', async () => {
      const { symbols } = await feed
        .get<{ symbols: { sources: string[] }[] }>('/v1/symbols')
        .catch(() => ({ symbols: [] }));
      return symbols.length === 2 && symbols.every(({ sources }) => sources.length === 2);
    });
    text = await (await fetch(`${feed.base}/openapi.json`)).text();
    const { paths } = JSON.parse(text) as Document;
    operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ ...operation, path, method: method.toUpperCase() })),
    );
  });

  afterAll(() => feed?.close());

  it('passes a strict linter', async () => {
    // A WebSocket answers 101 and nothing in the 2xx.
    const config = await createConfig({ extends: ['recommended-strict'], rules: { 'operation-2xx-response': 'off' } });
    const problems = await lintFromString({ source: text, absoluteRef: '/openapi.json', config });
    expect(problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`)).toEqual(
      [],
    );
  });

  it('names each operation once, and each has an answer that is asked for below', () => {
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toContain('getV1Candles');
    expect(operations.length).toBeGreaterThan(25);
  });

  it('answers valid, boundary and garbage parameters as described, and never fails', { timeout: 60_000 }, async () => {
    const random = createSeeded(SEED);
    const examples = await readExamples(feed);
    const isControl = ({ method }: Operation) => method !== 'GET';
    const asked = operations
      .toSorted((a, b) => Number(isControl(a)) - Number(isControl(b)))
      .flatMap((operation) => askedOf(operation, examples, random, isControl(operation) ? 2 : ROUNDS));
    const judge = createJudge();
    const faults: string[] = [];
    const seen = new Map<string, Set<number>>();
    const one = async (request: Asked): Promise<void> => {
      const answer = await fetch(feed.base + request.url, { method: request.operation.method });
      const body = await answer.text();
      const id = request.operation.operationId;
      seen.set(id, (seen.get(id) ?? new Set()).add(answer.status));
      const fault = judge(request.operation, answer, body);
      if (fault !== undefined) faults.push(`${request.operation.method} ${request.url}: ${fault}`);
    };
    for (let i = 0; i < asked.length; i += AT_ONCE) await Promise.all(asked.slice(i, i + AT_ONCE).map(one));
    expect(faults.slice(0, 20)).toEqual([]);
    // Whoever only gets errors has not been asked, and whoever never gets one was not asked hard.
    const upgrades = operations.filter(({ responses }) => responses['101'] !== undefined);
    const unanswered = operations.filter((one) => !upgrades.includes(one) && !seen.get(one.operationId)?.has(200));
    expect(unanswered.map(({ operationId }) => operationId)).toEqual([]);
    const parametered = operations.filter(
      ({ parameters = [], path }) => path.startsWith('/v1') && parameters.length > 0,
    );
    expect(parametered.filter((one) => !seen.get(one.operationId)?.has(400))).toEqual([]);
    expect(asked.length).toBeGreaterThan(500);
  });
});

// Values that are valid where a parameter of this name is asked for: what is recorded, and now.
async function readExamples(feed: LiveFeed): Promise<Readonly<Record<string, readonly string[]>>> {
  const { serverTime } = await feed.get<{ serverTime: number }>('/api/v3/time');
  const page = await feed.get<{ next: string | null }>(
    `/v1/trades?symbol=BTCUSDT&from=${serverTime - 600_000}&limit=3`,
  );
  // Milliseconds and, where those are too many for a parameter, seconds.
  const times = [serverTime - 60_000, serverTime, serverTime + 60_000].flatMap((ms) => [
    String(ms),
    String(Math.floor(ms / 1000)),
  ]);
  return {
    ...{ symbol: ['BTCUSDT', 'ETHUSDT'], symbols: ['["BTCUSDT"]'], venue: ['binance'], exchange: ['binance'] },
    ...{ interval: ['1m', '5m', '1h'], hop: ['1m'], resolution: ['1', '5', '1D'], timeZone: ['0', '+02:00'] },
    ...{ from: times, to: times, startTime: times, endTime: times, cursor: page.next === null ? [] : [page.next] },
    ...{ streams: ['btcusdt@trade'], timeUnit: ['MICROSECOND'], type: ['MINI', 'FULL'], symbolStatus: ['TRADING'] },
    ...{ day: [new Date(serverTime).toISOString().slice(0, 10)], query: ['BTC'], permissions: ['SPOT'] },
  };
}

function createJudge() {
  const ajv = new Ajv2020({ strict: false, allErrors: false, validateFormats: false });
  const validators = new Map<unknown, ValidateFunction>();
  return ({ responses }: Operation, answer: Response, body: string): string | undefined => {
    if (answer.status >= 500 && answer.status !== 503) return `HTTP ${answer.status} ${body.slice(0, 200)}`;
    if (answer.status === 503) return `503 of a healthy feed: ${body.slice(0, 200)}`;
    const described = responses[String(answer.status)];
    if (described === undefined) return `HTTP ${answer.status} is not described: ${body.slice(0, 200)}`;
    const type = answer.headers.get('content-type')?.split(';')[0] ?? '';
    const schema = described.content?.[type]?.schema;
    if (schema === undefined) return `HTTP ${answer.status} as ${type} is not described`;
    if (type !== 'application/json') return undefined;
    const validate = validators.get(schema) ?? ajv.compile(schema);
    validators.set(schema, validate);
    return validate(JSON.parse(body)) ? undefined : `${ajv.errorsText(validate.errors)}: ${body.slice(0, 200)}`;
  };
}
