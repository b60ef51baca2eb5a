/**
 * The schema of `GET /v1/status`.
 * It must hold the schema only; status.ts puts the answer together.
 */
import { type Static, Type } from 'typebox';
import { enumOf, nullable } from './schema-parts.ts';

/** The answer of `GET /v1/status`. */
export const StatusAnswer = Type.Object({
  feed: Type.String({ description: 'simulator, replay, binance, …' }),
  simulated: Type.Boolean({ description: 'true: this is not a real market' }),
  venue: Type.String(),
  engine: Type.Union([Type.Object({ name: Type.String(), version: Type.String() }), Type.Null()]),
  version: Type.String(),
  uptime: Type.Integer({ description: 'seconds' }),
  flow: nullable<string>(
    'string',
    'running or stopped, as POST /v1/feed/start and stop left it; null when ingest does not answer',
  ),
  replay: Type.Optional(
    Type.Object({
      state: enumOf(['playing', 'finished'], 'finished when everything is stored'),
      clock: nullable<number>('integer', "the recording's time, ms since the epoch"),
    }),
  ),
  shards: Type.Array(
    Type.Object({
      shard: Type.Integer(),
      lagMs: nullable<number>('integer', 'age of the oldest entry that is not stored; 0 when all are'),
      entries: nullable<number>('integer', 'entries that are not stored, counted up to 1000'),
      owner: nullable<string>('string', 'the aggregator that holds it'),
      clock: nullable<number>('integer', 'time up to which it is known, ms since the epoch'),
      batch: nullable<number>('integer', 'commits so far; it grows by one with each'),
    }),
  ),
  ticksPerSecond: nullable<number>('number', 'ticks stored a second, over the last 10 s'),
  frameToCandleMs: Type.Object({
    p50: nullable<number>('number', 'median time from frame to candle'),
    p99: nullable<number>('number', '99th percentile'),
  }),
  gaps: Type.Object({
    open: nullable<number>('integer', 'open gaps'),
    ids: nullable<number>('integer', 'trade ids inside them'),
  }),
  stale: Type.Boolean({ description: 'nothing has been stored for 5 s while the feed should flow' }),
  notTrading: Type.Object(
    {
      count: Type.Integer(),
      symbols: Type.Array(
        Type.Object({
          symbol: Type.String(),
          status: Type.String({ description: "the venue's word: HALT, BREAK, CANCEL_ONLY, …" }),
        }),
        { description: 'by name, at most 100' },
      ),
    },
    { description: 'recorded symbols that the venue says do not trade' },
  ),
  clients: Type.Integer({ description: 'WebSocket clients here' }),
  memoryBytes: Type.Integer({ description: 'bars in memory, about' }),
  problems: Type.Array(Type.String(), { description: 'what could not be asked, and why' }),
});

/** The answer of `GET /v1/status` as a type. */
export type StatusType = Static<typeof StatusAnswer>;
