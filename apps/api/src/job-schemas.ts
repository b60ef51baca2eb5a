/**
 * The schemas of `GET /v1/jobs` and `GET /v1/reports`, and the rows that they are made of.
 * It must hold schemas only; the aggregator's jobs decide what a report says.
 */
import { type Static, Type } from 'typebox';
import { enumOf, nullable } from './schema-parts.ts';

/** Most reports in one answer. */
export const REPORTS_MAX = 100;

const text = (description: string) => nullable<string>('string', description);
const whole = (description: string) => Type.Integer({ description });
const time = (description: string) => nullable<number>('integer', `${description}, ms since the epoch`);

/** A job with its last run. */
export const JobRow = Type.Object({
  name: Type.String({ description: 'refresh, retire, sweep, compress or report' }),
  outcome: enumOf(['running', 'ok', 'failed'], 'of the last run'),
  startedAt: Type.Integer({ description: 'ms since the epoch' }),
  endedAt: time('null while it runs, or when its process was killed'),
  durationMs: nullable<number>('number', 'of the last run that ended'),
  nextRunAt: time('null when it is not known'),
  runs: whole('runs that ended, of all aggregators'),
  failures: whole('of those, how many failed'),
  detail: text('why the last run failed'),
});

/** The answer of `GET /v1/jobs`. */
export const JobsAnswer = Type.Object({ jobs: Type.Array(JobRow) });

/** The question of `GET /v1/reports`. */
export const ReportsQuery = Type.Object(
  {
    day: Type.Optional(
      Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\d$', description: 'a UTC day such as 2026-11-20; else the newest' }),
    ),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: REPORTS_MAX, description: `how many, 1 to ${REPORTS_MAX}, by default 7` }),
    ),
  },
  { additionalProperties: false },
);

const Difference = Type.Object({
  openTime: whole('ms since the epoch'),
  field: Type.String({ description: 'which field of the candle; candle when one side has none' }),
  ours: text('our value'),
  theirs: text('the venue’s value'),
});

const Klines = Type.Object({
  compared: Type.Optional(whole('minutes that were compared with the venue’s own klines')),
  equal: Type.Optional(whole('of those, how many are equal in every field')),
  different: Type.Optional(whole('of those, how many differ')),
  notCompared: Type.Optional(whole('minutes with trades of which we have no final candle')),
  differences: Type.Optional(Type.Array(Difference, { description: 'the first 20' })),
  unavailable: Type.Optional(Type.String({ description: 'why the venue’s klines could not be had' })),
});

const SymbolReport = Type.Object({
  symbol: Type.String(),
  trades: whole('single trades of the day'),
  firstId: nullable<number>('integer', 'first trade id of the day'),
  lastId: nullable<number>('integer', 'last trade id of the day'),
  minutes: whole('minutes with a trade'),
  quotes: whole('quotes of the day'),
  gapsOpen: whole('open gaps that touch the day'),
  gapIds: whole('trade ids that are missing in them'),
  lateTicks: whole('ticks that came after their candle had closed'),
  unobservedTradeMs: Type.Number({ description: 'time of the day without listening to trades, ms' }),
  unobservedQuoteMs: Type.Number({ description: 'time of the day without listening to quotes, ms' }),
  klines: Klines,
});

/** A day's report. */
export const ReportRow = Type.Object({
  day: Type.String({ description: 'the UTC day' }),
  madeAt: whole('ms since the epoch'),
  incomplete: Type.Boolean({ description: 'true when the venue’s klines could not be had; it is made again' }),
  symbols: Type.Array(SymbolReport),
  quarantined: Type.Array(Type.Object({ reason: Type.String(), count: whole('inputs') })),
  sizes: Type.Array(Type.Object({ relation: Type.String(), bytes: whole('on disk, when the report was made') })),
});

/** The answer of `GET /v1/reports`. Order: newest first. */
export const ReportsAnswer = Type.Object({ venue: Type.String(), reports: Type.Array(ReportRow) });

/** A job as a type. */
export type JobRowType = Static<typeof JobRow>;
/** A report as a type. */
export type ReportRowType = Static<typeof ReportRow>;
/** The question of `GET /v1/reports` as a type. */
export type ReportsQueryType = Static<typeof ReportsQuery>;
