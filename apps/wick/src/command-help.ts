/**
 * What each command of `npm run wick --` is for, its options and its exit codes: the one source of the help and of the parser.
 * It must hold texts only, and promise nothing that the command does not do.
 */

/** One command's help. Shape: an option is `--name` or `--name VALUE`; `exits` are the codes beyond 0, 1 and 2 as they are everywhere. */
export type CommandHelp = {
  readonly summary: string;
  readonly usage: string;
  readonly options: readonly (readonly [option: string, text: string])[];
  readonly exits?: readonly string[];
  readonly notes?: readonly string[];
};

const JSON_OPTION = ['--json', 'print JSON for programs'] as const;
const API_OPTION = [
  '--api URL',
  'ask this api, and take REDIS_URL and DATABASE_URL from the environment, instead of the running npm start',
] as const;
const TIMES = 'Times are ISO 8601, in UTC unless they say otherwise, or milliseconds since the epoch.';

/** The help of every command. Order: as it is shown. */
export const commandHelp = {
  status: {
    summary: 'how the whole is, in one line',
    usage: 'status [--json]',
    options: [JSON_OPTION, API_OPTION],
  },
  symbols: { summary: 'what is recorded', usage: 'symbols [--json]', options: [JSON_OPTION, API_OPTION] },
  start: {
    summary: 'let the feed flow',
    usage: 'start [--json]',
    options: [JSON_OPTION, API_OPTION],
    notes: [
      'With API_KEYS set, API_KEY is sent, else the first plain one of API_KEYS. To start everything, use npm start.',
    ],
  },
  stop: {
    summary: 'hold the feed; everything else goes on',
    usage: 'stop [--json]',
    options: [JSON_OPTION, API_OPTION],
    notes: [
      'With API_KEYS set, API_KEY is sent, else the first plain one of API_KEYS. To stop everything, press Ctrl-C where npm start runs.',
    ],
  },
  verify: {
    summary: 'our candles against the exchange’s own klines',
    usage: 'verify --symbol S [--interval 1m] [--from T] [--to T] [--klines FILE|URL] [--limit N] [--json]',
    options: [
      ['--symbol S', 'the symbol, for example BTCUSDT'],
      ['--interval I', 'the interval, 1m by default'],
      ['--from T', 'the first open time; by default a day before --to, or the first row of the file'],
      [
        '--to T',
        'the end of the open times, exclusive; by default after the newest tick, or after the last row of the file',
      ],
      [
        '--klines FILE|URL',
        'the exchange’s klines: a CSV file or its URL (plain, .gz, .zip), or the URL of a REST that speaks the protocol',
      ],
      ['--limit N', 'how many differences are printed, 20 by default; all are counted'],
      JSON_OPTION,
      API_OPTION,
    ],
    exits: [
      '0 when every compared candle is equal',
      '1 when one differs',
      '2 when nothing could be compared, or not to the end',
    ],
    notes: [
      TIMES,
      'Candles that are open or incomplete are not compared; they are listed. Without --klines the REST of the running feed is asked, else BINANCE_REST_URL.',
      'A CSV has a header (open_time,open,high,low,close,volume) or is a klines file of data.binance.vision; its times are in ms or µs.',
    ],
  },
  export: {
    summary: 'candles or ticks into a file',
    usage:
      'export --symbol S --what candles|trades|quotes|tickers --from T --to T --out FILE [--interval 1m] [--hop H] [--source trade|mid] [--fill none|flat] [--window 1h|1d] [--format csv|parquet] [--json]',
    options: [
      ['--symbol S', 'the symbol, for example BTCUSDT'],
      ['--what W', 'candles (default), trades, quotes or tickers'],
      ['--from T', 'the earliest time, inclusive'],
      ['--to T', 'the end of the times, exclusive; now by default'],
      ['--out FILE', 'the file, gzipped when its name ends with .gz; it appears when it is whole'],
      ['--interval I', 'of candles, 1m by default'],
      ['--hop H', 'of candles, the interval by default'],
      ['--source S', 'of candles: trade (default) or mid'],
      ['--fill F', 'of candles: none (default) or flat'],
      ['--window W', 'of tickers: 1h (default) or 1d'],
      ['--format F', 'csv or parquet; by default as the file’s name ends, else csv'],
      JSON_OPTION,
      API_OPTION,
    ],
    notes: [
      TIMES,
      'Candles come from the api, ticks from the feed’s database as its role wick_reader. Decimals are exact, times are whole ms (candles) or µs (ticks).',
      'In Parquet times are UTC timestamps, and prices, quantities and volumes DECIMAL(38, 18), which holds every digit; a row group is 50,000 rows.',
    ],
  },
  import: {
    summary: 'trades from files, and the candles they make',
    usage: 'import FILE|FOLDER… [--symbol S] [--klines FILE|FOLDER] [--no-keep] [--json]',
    options: [
      ['--symbol S', 'the symbol of files whose names do not begin with it'],
      ['--klines FILE|FOLDER', 'the exchange’s klines of the same time, to compare the candles with'],
      ['--no-keep', 'leave the imported days to retention (RETENTION_DAYS); without it they are kept'],
      JSON_OPTION,
      API_OPTION,
    ],
    exits: [
      '0 when everything is stored and every minute holds what the files say',
      '1 when one does not, or the import could not go on',
      '2 when the command is wrong',
    ],
    notes: [
      'Files are trades or aggTrades as data.binance.vision has them: CSV, plain, .gz or .zip; times in ms or µs; of a folder all that are below it.',
      'It may be killed at any moment: the same command goes on where it was, and stores nothing twice. Live data goes before it.',
    ],
  },
  backfill: {
    summary: 'trades from the exchange’s history, and the candles they make',
    usage: 'backfill --symbol S --from T [--to T] [--no-wait] [--no-keep] [--json]',
    options: [
      ['--symbol S', 'the symbol, for example BTCUSDT'],
      ['--from T', 'the earliest time, inclusive'],
      ['--to T', 'the end of the times, exclusive; by default up to what is recorded, else now'],
      ['--no-wait', 'end as soon as it is wanted; repair fetches it all the same'],
      ['--no-keep', 'leave the days to retention (RETENTION_DAYS); without it they are kept'],
      JSON_OPTION,
      API_OPTION,
    ],
    exits: [
      '0 when it is fetched and every candle equals the exchange’s, or with --no-wait when it is wanted',
      '1 when one differs, or the exchange gave nothing more for ten minutes',
      '2 when the command is wrong',
    ],
    notes: [
      TIMES,
      'The aggregator fetches within its share of the exchange’s request weight, newest first. Ctrl-C ends the waiting, not the fetching.',
      'For long times past, files of data.binance.vision and npm run wick -- import are many times faster.',
    ],
  },
  quarantine: {
    summary: 'input that was refused, with its reason; trades of it sent again',
    usage: 'quarantine list|retry [--reason R] [--symbol S] [--limit N] [--json]',
    options: [
      ['--reason R', 'only this reason'],
      ['--symbol S', 'only this symbol'],
      ['--limit N', 'how many rows: list the newest, 50 by default; retry the oldest, 1000 by default; at most 10000'],
      ['--database URL', 'this database instead of the running npm start’s or DATABASE_URL'],
      JSON_OPTION,
      API_OPTION,
    ],
    notes: [
      'retry sends trades that were refused for their place (gap_too_large, too_many_gaps, unknown_symbol) or by the database (rejected_by_database) through the stream again.',
      'Each row is retried once and keeps its outcome; what cannot be sent says why.',
    ],
  },
  jobs: {
    summary: 'what runs by itself: last run, next run, outcome, duration',
    usage: 'jobs [--json]',
    options: [JSON_OPTION, API_OPTION],
    exits: ['0 when the last run of every job was good', '1 when one failed'],
  },
  report: {
    summary: 'a day: coverage, differences to the exchange’s klines, what was refused, sizes',
    usage: 'report [--day D] [--json]',
    options: [
      ['--day D', 'a UTC day such as 2026-11-20, by default the newest that has a report'],
      JSON_OPTION,
      API_OPTION,
    ],
    exits: ['0 when no candle differs', '1 when one does, or there is no report'],
    notes: ['The report of a day is made at REPORT_AT (07:00 UTC) of the next, or at the first start after that.'],
  },
  keys: {
    summary: 'a new API key, and the entry for API_KEYS that does not tell it',
    usage: 'keys new --name N [--scope read|control] [--json]',
    options: [
      ['--name N', 'names the key in logs: 1 to 40 letters, digits, dots, dashes or underscores'],
      ['--scope S', 'read (default), or control, which may also start and stop the feed'],
      JSON_OPTION,
    ],
  },
  doctor: {
    summary: 'one look whether everything is healthy, with the mend of what is not',
    usage: 'doctor [--json]',
    options: [JSON_OPTION, API_OPTION],
    exits: ['0 when no line says fail', '1 when one does'],
  },
  replay: {
    summary: 'npm start on recordings; or a shard of the running feed, processed again',
    usage: 'replay FILE… [--speed N|max] [--symbol S] [--port N], or replay --shard N --from ENTRY|T [--json]',
    options: [
      ['--speed N|max', 'recorded per real time, 1 by default; max is as fast as it can be stored'],
      ['--symbol S', 'the symbol of files whose names do not say it'],
      ['--port N', 'the port of the page'],
      ['--shard N', 'process this shard’s entries again'],
      ['--from ENTRY|T', 'those after this entry of the stream, or from this time on'],
      JSON_OPTION,
      API_OPTION,
    ],
    exits: [
      '0 when the shard is where it was before',
      '1 when it cannot be processed again',
      '2 when the command is wrong',
    ],
    notes: [
      TIMES,
      'What is stored is a duplicate then: ticks, candles, gaps and unobserved times stay as they are. A stream holds about ten minutes of what is stored.',
    ],
  },
  migrate: {
    summary: 'bring the database of DATABASE_URL to this version’s schema',
    usage: 'migrate',
    options: [],
    notes: ['npm start does it by itself.'],
  },
  reset: {
    summary: 'remove everything that one feed has recorded',
    usage: 'reset --feed simulator|binance --yes, or reset --replay FILE… [--symbol S] --yes',
    options: [
      ['--feed F', 'simulator or binance'],
      ['--replay FILE…', 'the replay of these recordings'],
      ['--symbol S', 'as it was given to the replay'],
      ['--yes', 'do it'],
    ],
  },
} as const satisfies Record<string, CommandHelp>;

/** The name of a command that has a help. */
export type HelpName = keyof typeof commandHelp;

/** The help of one command. */
export function formatHelp(name: HelpName): string {
  const { summary, usage, options, exits, notes = [] }: CommandHelp = commandHelp[name];
  const width = Math.max(0, ...options.map(([option]) => option.length)) + 2;
  const lines = options.map(([option, text]) => `  ${option.padEnd(width)}${text}`);
  return [
    `npm run wick -- ${usage}`,
    '',
    `  ${summary}`,
    ...(lines.length > 0 ? ['', ...lines] : []),
    ...(notes.length > 0 ? ['', ...notes] : []),
    '',
    exits ? `Exit codes: ${exits.join(', ')}.` : 'Exit codes: 0 done, 1 it failed, 2 the command is wrong.',
  ].join('\n');
}

/** The help of all commands, a line each. */
export function formatOverview(): string {
  const width = Math.max(...Object.keys(commandHelp).map((name) => name.length)) + 2;
  const lines = Object.entries(commandHelp).map(([name, { summary }]) => `  ${name.padEnd(width)}${summary}`);
  return [
    'npm run wick -- COMMAND [options]',
    '',
    ...lines,
    '',
    'npm run wick -- COMMAND --help says more. A command finds the npm start that runs from this folder, else it goes by the environment.',
  ].join('\n');
}
