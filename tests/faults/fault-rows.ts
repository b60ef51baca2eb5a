/**
 * The faults and inputs that must be survived, by number, with the tests that show a row besides those that record their figures.
 * It must name a row that nothing shows here, with the reason.
 */

/** One row. Shape: `also` are further tests, `<path>: <title>`; `not` says what of the row can't be had here, and why. */
export type FaultRow = { readonly fault: string; readonly also?: readonly string[]; readonly not?: string };

const PROCESSES = 'apps/aggregator/test/processes.test.ts';
const INGEST = 'apps/ingest/test/redis-faults.test.ts';
const REFRESH = 'sql/test/refresh.test.ts';

/** Every row, by its number. Order: ascending. */
export const FAULT_ROWS: ReadonlyMap<number, FaultRow> = new Map([
  [
    1,
    {
      fault: 'kill -9 of ingest, aggregator and api at random, three times each',
      also: [
        'tests/whole-path/kill.test.ts: loses no tick and stores none twice (recorded data, two aggregators, both engines)',
      ],
    },
  ],
  [2, { fault: 'SIGTERM of each', also: [`${INGEST}: SIGTERM flushes, writes the silence and ends within 10 s`] }],
  [
    3,
    {
      fault: 'an aggregator stopped past its lease, then woken',
      also: [`${PROCESSES}: that wakes after another took its shards stores nothing twice and lets go`],
    },
  ],
  [
    4,
    {
      fault:
        'crash after the commit and before the acknowledgement; after a write and before its reply; before trimming',
      also: [
        `${PROCESSES}: loses and doubles nothing when it dies at each fail point`,
        `${INGEST}: a crash between the write and its reply leaves the entry, and the next start another boot`,
      ],
    },
  ],
  [
    5,
    {
      fault: 'Redis killed and started from its log; the end of the log cut off; FLUSHALL',
      also: [`${INGEST}: kill -9 of Redis: every trade arrives, in order, with numbers without a jump`],
    },
  ],
  [
    6,
    {
      fault: 'Redis at its memory limit with the aggregator stopped',
      also: [
        `${INGEST}: at the limit of the buffer a live feed sheds, counts it and says so downstream`,
        `${PROCESSES}: is drained by an aggregator that starts then, and takes entries again`,
      ],
    },
  ],
  [
    7,
    {
      fault: 'Redis loading, read-only, paused; a fail-over',
      also: [`${INGEST}: a Redis that hangs: what was sent twice is the same entry, and none is missing`],
    },
  ],
  [8, { fault: 'requests delivered and replies lost, to Redis and to the database' }],
  [
    9,
    {
      fault: 'half-open sockets to Redis, database and exchange',
      not: 'A refresh of bars may run for minutes, so its own connection is given up after five; candles are exact without it.',
    },
  ],
  [10, { fault: 'latency with jitter, one byte at a time, a bandwidth limit' }],
  [
    11,
    {
      fault:
        'database killed, restarted, connections ended, all connections taken, disk full, statement time-out, deadlock',
    },
  ],
  [
    12,
    {
      fault: 'one poison tick among five hundred',
      also: [`${PROCESSES}: with one row that the database refuses loses that row alone, to quarantine`],
    },
  ],
  [
    13,
    {
      fault: 'a consumer slower than its producer',
      also: ['apps/ingest/test/replay.test.ts: while too much is unread in Redis the sockets pause until it is read'],
    },
  ],
  [
    14,
    {
      fault:
        'exchange: connections dropped, cut after 24 hours, closed with every code, refused, answered with 4xx and 5xx',
    },
  ],
  [15, { fault: 'exchange: serverShutdown, raw and wrapped; then closed at once, or never' }],
  [16, { fault: 'exchange: no pings, a flood of pings, one symbol that falls silent' }],
  [17, { fault: 'exchange: subscriptions lost, refused, half done; more streams than a socket may carry' }],
  [18, { fault: 'duplicates: frames twice, a minute again, live against history, two ingests' }],
  [19, { fault: 'one id with two prices' }],
  [20, { fault: 'ticks out of order; many ids in a millisecond' }],
  [21, { fault: 'ticks that are late by minutes and hours, below retention, into a compressed chunk' }],
  [
    22,
    {
      fault: 'ids missing: really, empty at the source, while history is limited, on a partial page',
      also: [
        'tests/whole-path/gap-repair.test.ts: are filled when the exchange has the trades, and confirmed when two readings show none',
      ],
    },
  ],
  [23, { fault: 'clocks ten minutes off and jumping; trade times of the future, of 1970, in the wrong unit' }],
  [24, { fault: 'malformed frames: cut, wrong types, deep, binary, huge, endless fragments, deflate bombs' }],
  [25, { fault: 'prices and quantities that cannot be; crossed quotes; ids beyond 2^53; null trades' }],
  [26, { fault: 'ten thousand unknown symbols, Unicode, SQL, placeholders and line ends in names' }],
  [
    27,
    {
      fault: 'bursts, steps until saturation, hours of load',
      not: 'Hours of load are the soak’s: npm run soak -- --minutes N --seed S.',
    },
  ],
  [
    28,
    {
      fault: 'aggregators 1 → 3 → 1 under load; a rolling restart; two versions side by side',
      also: [`${PROCESSES}: share the shards, and the one left takes all when the other dies`],
    },
  ],
  [
    29,
    {
      fault: 'a refresh killed or overlapping; retention meanwhile',
      also: [
        `${REFRESH}: never shows a candle without a stored tick while four shards write and two refreshers run`,
        `${REFRESH}: is exact after a refresher was killed half-way, and does not count a shard that fell silent`,
        `${REFRESH}: keeps bars when ticks are retired, also when a tick comes for a retired day`,
      ],
    },
  ],
  [30, { fault: 'api: hostile values in every parameter, endless ranges, bad cursors' }],
  [31, { fault: 'api: slow headers, slow bodies, thousands of idle sockets, a client that never reads' }],
  [32, { fault: 'stream: too many subscriptions, floods, long messages, foreign origins, bad keys' }],
  [33, { fault: 'keys missing, wrong, revoked, in the URL; forged addresses; rates' }],
  [
    34,
    {
      fault: 'wrong password, missing extension, old schema, rights denied',
      also: [`${INGEST}: a wrong password ends it with the mend in one sentence`],
    },
  ],
  [
    35,
    {
      fault: 'each job twice, at the same time, killed half-way',
      also: ['apps/aggregator/test/repair-jobs.test.ts: go on after a failed one, and after Redis lost everything'],
    },
  ],
]);
