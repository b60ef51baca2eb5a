/**
 * The environment of every app: the one place that reads it, with defaults, units and clear errors.
 * It must not be read by pure code; `main.ts` files read it once and hand values on.
 */
import { hostname } from 'node:os';
import { CHANNELS, type Channel } from './names.ts';

/** A setting that cannot be used; the message names the variable and the mend. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
}

/** Variables by name, as in `process.env`. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** What every app needs. Units: `…Ms` milliseconds. */
export type CommonEnvironment = {
  readonly feed: string;
  readonly host: string;
  readonly logLevel: string;
  readonly redisPrefix: string;
  readonly venue: string;
  readonly shards: number;
  readonly closeGraceMs: number;
  readonly replay: boolean;
};

/** Reads what every app needs. Errors: EnvironmentError. */
export function readCommon(env: Variables = process.env): CommonEnvironment {
  return {
    feed: text(env, 'FEED', 'auto'),
    host: text(env, 'HOST', '127.0.0.1'),
    logLevel: text(env, 'LOG_LEVEL', 'info'),
    redisPrefix: text(env, 'REDIS_PREFIX', ''),
    venue: text(env, 'VENUE', 'binance'),
    shards: integer(env, 'SHARDS', 4, 1, 1024),
    closeGraceMs: integer(env, 'CLOSE_GRACE_MS', 1000, 0, 60_000),
    replay: text(env, 'REPLAY', '0') === '1',
  };
}

/** The Redis URL. Errors: EnvironmentError when it is not set. */
export function readRedisUrl(env: Variables = process.env): string {
  return required(env, 'REDIS_URL', 'redis://127.0.0.1:6379');
}

/** The PostgreSQL URL. Errors: EnvironmentError when it is not set. */
export function readDatabaseUrl(env: Variables = process.env): string {
  return required(env, 'DATABASE_URL', 'postgres://wick:secret@127.0.0.1:5432/wickstream');
}

/**
 * What ingest needs. Shape: `producer` tells ingests of one venue apart and stays the same over restarts; `failPoint` is for tests.
 * Units: `…Ms` milliseconds; `streamUnreadMax` entries of a shard; `bufferBytesMax` bytes.
 */
export type IngestEnvironment = CommonEnvironment & {
  readonly port: number;
  readonly redisUrl: string;
  readonly symbols: readonly string[];
  readonly channels: readonly Channel[];
  readonly wsUrl: string;
  readonly restUrl: string;
  readonly apiKeys: readonly string[];
  readonly producer: string;
  readonly connectionAgeMaxMs: number;
  readonly silenceMaxMs: number;
  readonly quietAskMs: number;
  readonly statusAskMs: number;
  readonly streamUnreadMax: number;
  readonly bufferBytesMax: number;
  readonly failPoint: string;
};

/** Reads ingest's environment. Errors: EnvironmentError. */
export function readIngest(env: Variables = process.env): IngestEnvironment {
  return {
    ...readCommon(env),
    port: port(env, 'INGEST_PORT', 8081),
    redisUrl: readRedisUrl(env),
    symbols: list(env, 'SYMBOLS', 'BTCUSDT,ETHUSDT,SOLUSDT').map((symbol) => symbol.toUpperCase()),
    channels: list(env, 'CHANNELS', 'trade,bookTicker,ticker_1h,ticker_1d').map(channelOf),
    wsUrl: text(env, 'BINANCE_WS_URL', 'wss://data-stream.binance.vision'),
    restUrl: readRestUrl(env),
    apiKeys: list(env, 'API_KEYS', ''),
    producer: text(env, 'INGEST_NAME', hostname()).replace(/[^\w.-]/g, '-'),
    connectionAgeMaxMs: integer(env, 'CONNECTION_AGE_MAX_S', 82_800, 1, 86_400) * 1000,
    silenceMaxMs: integer(env, 'SILENCE_MAX_S', 60, 1, 3_600) * 1000,
    quietAskMs: integer(env, 'QUIET_ASK_S', 30, 1, 3_600) * 1000,
    statusAskMs: integer(env, 'STATUS_ASK_S', 60, 1, 3_600) * 1000,
    streamUnreadMax: integer(env, 'STREAM_UNREAD_MAX', 1_000_000, 1, 1_000_000_000),
    bufferBytesMax: integer(env, 'INGEST_BUFFER_BYTES_MAX', 67_108_864, 65_536, 4_294_967_296),
    failPoint: text(env, 'WICK_FAILPOINT', ''),
  };
}

/** How long ticks are kept; null means for ever. Units: days. */
export type Retention = { readonly tradesDays: number | null; readonly quotesDays: number | null };

const TRADES_DAYS = 30;
const QUOTES_DAYS = 3;

/** Reads RETENTION_DAYS: one number for trades and quotes, 0 for ever, the default for each when empty. Errors: EnvironmentError. */
export function readRetention(env: Variables): Retention {
  if (optional(env, 'RETENTION_DAYS') === undefined) return { tradesDays: TRADES_DAYS, quotesDays: QUOTES_DAYS };
  const days = integer(env, 'RETENTION_DAYS', TRADES_DAYS, 0, 36_500);
  return days === 0 ? { tradesDays: null, quotesDays: null } : { tradesDays: days, quotesDays: days };
}

/** What an aggregator needs. Units: `reportAtMinutes` of the UTC day. */
export type AggregatorEnvironment = CommonEnvironment & {
  readonly port: number;
  readonly redisUrl: string;
  readonly databaseUrl: string;
  readonly restUrl: string;
  readonly backfillHours: number;
  readonly retention: Retention;
  readonly reportAtMinutes: number;
  readonly failPoint: string;
};

/** Reads an aggregator's environment. Errors: EnvironmentError. */
export function readAggregator(env: Variables = process.env): AggregatorEnvironment {
  return {
    ...readCommon(env),
    port: port(env, 'AGGREGATOR_PORT', 8082),
    redisUrl: readRedisUrl(env),
    databaseUrl: readDatabaseUrl(env),
    restUrl: readRestUrl(env),
    backfillHours: integer(env, 'BACKFILL_HOURS', 1, 0, 48),
    retention: readRetention(env),
    reportAtMinutes: minutesOf('REPORT_AT', text(env, 'REPORT_AT', '07:00')),
    failPoint: text(env, 'WICK_FAILPOINT', ''),
  };
}

/** What the api needs. Shape: `callsPerMinute` and `socketsPerAddress` 0 for no limit. */
export type ApiEnvironment = CommonEnvironment & {
  readonly port: number;
  readonly redisUrl: string;
  readonly databaseUrl: string;
  readonly ingestUrl: string;
  readonly aggregatorUrl: string;
  readonly exchangeUrl: string;
  readonly apiKeys: readonly string[];
  readonly readsNeedKey: boolean;
  readonly allowedOrigins: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly callsPerMinute: number;
  readonly socketsPerAddress: number;
};

/** Reads the api's environment. Errors: EnvironmentError. */
export function readApi(env: Variables = process.env): ApiEnvironment {
  return {
    ...readCommon(env),
    port: port(env, 'API_PORT', 8080),
    redisUrl: readRedisUrl(env),
    databaseUrl: readDatabaseUrl(env),
    ingestUrl: text(env, 'INGEST_URL', 'http://127.0.0.1:8081'),
    aggregatorUrl: text(env, 'AGGREGATOR_URL', 'http://127.0.0.1:8082'),
    exchangeUrl: readRestUrl(env),
    apiKeys: list(env, 'API_KEYS', ''),
    readsNeedKey: text(env, 'API_READS', 'open') === 'key',
    allowedOrigins: list(env, 'ALLOWED_ORIGINS', ''),
    trustedProxies: list(env, 'TRUSTED_PROXIES', ''),
    callsPerMinute: integer(env, 'CALLS_PER_MINUTE', 12_000, 0, 100_000_000),
    socketsPerAddress: integer(env, 'SOCKETS_PER_ADDRESS', 1_000, 0, 1_000_000),
  };
}

/** What the simulated exchange needs. Units: `rate` in trades per minute and symbol (quotes come on top); `clockScale` in simulated per real time; `clockOffsetMs` the market's clock minus this machine's. */
export type ExchangeEnvironment = {
  readonly host: string;
  readonly port: number;
  readonly logLevel: string;
  readonly mode: 'simulator' | 'replay';
  readonly seed: number;
  readonly rate: number;
  readonly symbols: readonly string[];
  readonly replayFiles: readonly string[];
  readonly replaySpeed: number | 'max';
  readonly replaySymbol: string | undefined;
  readonly clockScale: number;
  readonly clockOffsetMs: number;
};

/** Reads the simulated exchange's environment. Errors: EnvironmentError. */
export function readExchange(env: Variables = process.env): ExchangeEnvironment {
  const mode = text(env, 'EXCHANGE_MODE', 'simulator');
  if (mode !== 'simulator' && mode !== 'replay') {
    throw new EnvironmentError(`EXCHANGE_MODE must be simulator or replay; got "${mode}"`);
  }
  const speed = text(env, 'EXCHANGE_REPLAY_SPEED', '1');
  return {
    host: text(env, 'HOST', '127.0.0.1'),
    port: port(env, 'EXCHANGE_PORT', 9443),
    logLevel: text(env, 'LOG_LEVEL', 'info'),
    mode,
    seed: integer(env, 'EXCHANGE_SEED', 1, 0, 2 ** 32 - 1),
    rate: integer(env, 'EXCHANGE_RATE', 3000, 1, 5_000_000),
    symbols: list(env, 'EXCHANGE_SYMBOLS', 'BTCUSDT,ETHUSDT,SOLUSDT'),
    replayFiles: filesOf(text(env, 'EXCHANGE_REPLAY_FILES', '[]')),
    replaySpeed: speed === 'max' ? 'max' : decimal('EXCHANGE_REPLAY_SPEED', speed),
    replaySymbol: optional(env, 'EXCHANGE_REPLAY_SYMBOL'),
    clockScale: decimal('EXCHANGE_CLOCK_SCALE', text(env, 'EXCHANGE_CLOCK_SCALE', '1')),
    clockOffsetMs: offset('EXCHANGE_CLOCK_OFFSET_S', text(env, 'EXCHANGE_CLOCK_OFFSET_S', '0')) * 1000,
  };
}

function readRestUrl(env: Variables): string {
  return text(env, 'BINANCE_REST_URL', 'https://data-api.binance.vision');
}

function optional(env: Variables, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === '' ? undefined : value;
}

function text(env: Variables, name: string, fallback: string): string {
  return optional(env, name) ?? fallback;
}

function required(env: Variables, name: string, example: string): string {
  const value = optional(env, name);
  if (value === undefined) {
    throw new EnvironmentError(
      `${name} is not set; set it, for example ${name}=${example}, or use npm start, which starts the servers itself`,
    );
  }
  return value;
}

function integer(env: Variables, name: string, fallback: number, min: number, max: number): number {
  const value = optional(env, name);
  if (value === undefined) return fallback;
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < min || number > max) {
    throw new EnvironmentError(`${name} must be a whole number from ${min} to ${max}; got "${value}"`);
  }
  return number;
}

function port(env: Variables, name: string, fallback: number): number {
  return integer(env, name, fallback, 0, 65_535);
}

function decimal(name: string, value: string): number {
  const number = Number(value);
  if (!(number > 0) || !Number.isFinite(number)) {
    throw new EnvironmentError(`${name} must be a number above zero; got "${value}"`);
  }
  return number;
}

function minutesOf(name: string, value: string): number {
  const [, hour, minute] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(value) ?? [];
  if (hour === undefined)
    throw new EnvironmentError(`${name} must be a time of the UTC day such as 07:00; got "${value}"`);
  return Number(hour) * 60 + Number(minute);
}

function offset(name: string, value: string): number {
  if (/^-?\d{1,9}$/.test(value)) return Number(value);
  throw new EnvironmentError(`${name} must be a whole number of seconds, ahead or, below zero, behind; got "${value}"`);
}

function list(env: Variables, name: string, fallback: string): string[] {
  const items = text(env, name, fallback).split(',');
  return [...new Set(items.map((item) => item.trim()).filter((item) => item !== ''))];
}

function channelOf(name: string): Channel {
  const channel = CHANNELS.find((known) => known === name);
  if (channel === undefined) {
    throw new EnvironmentError(`CHANNELS holds "${name}", which is not one of ${CHANNELS.join(', ')}`);
  }
  return channel;
}

function filesOf(json: string): string[] {
  try {
    const files: unknown = JSON.parse(json);
    if (Array.isArray(files) && files.every((file) => typeof file === 'string')) return files;
  } catch {
    // falls through to the error below, which names the mend
  }
  throw new EnvironmentError(`EXCHANGE_REPLAY_FILES must be a JSON array of paths; got "${json.slice(0, 80)}"`);
}
