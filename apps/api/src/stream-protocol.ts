/**
 * The messages of WS /v1/stream: reads what clients send, and names what they are sent.
 * It must not know sockets or candles.
 */
import type { Source } from '@wickstream/shared/bar';
import { IntervalError, parseWindowing, type Windowing } from '@wickstream/shared/interval';
import { TOPIC_CANDLES_MAX } from './candle-topic.ts';

/** Candles of a subscription that does not say how many. */
export const STREAM_CANDLES = 12;

/** A subscription's own name. Limits: a whole number, or a text of at most 40 characters. */
export type SubscriptionId = number | string;

/** A message from a client. */
export type ClientMessage =
  | {
      readonly op: 'subscribe';
      readonly id: SubscriptionId;
      readonly venue: string | undefined;
      readonly symbol: string;
      readonly source: Source;
      readonly windowing: Windowing;
      readonly limit: number;
      readonly since: number | undefined;
    }
  | { readonly op: 'unsubscribe'; readonly id: SubscriptionId }
  | { readonly op: 'ping'; readonly id: SubscriptionId | undefined };

/** A message that cannot be followed. Shape: what an error message to the client carries. */
export class StreamError extends Error {
  override readonly name = 'StreamError';
  readonly code: string;
  readonly id: SubscriptionId | undefined;
  readonly param: string | undefined;
  constructor(code: string, message: string, id?: SubscriptionId, param?: string) {
    super(message);
    this.code = code;
    this.id = id;
    this.param = param;
  }
}

/** Reads a client's message. Errors: StreamError, which says the mend. */
export function readClientMessage(text: string): ClientMessage {
  const message = parseObject(text);
  const id = isId(message.id) ? message.id : undefined;
  const { op } = message;
  if (op === 'ping') return { op, id };
  if (op !== 'subscribe' && op !== 'unsubscribe') {
    throw new StreamError('invalid_message', 'op must be subscribe, unsubscribe or ping', id, 'op');
  }
  if (id === undefined) {
    throw new StreamError('invalid_message', 'id must be a whole number or a text of 1 to 40 characters', id, 'id');
  }
  return op === 'unsubscribe' ? { op, id } : readSubscribe(message, id);
}

function readSubscribe(message: Record<string, unknown>, id: SubscriptionId): ClientMessage {
  const refuse = (param: string, mend: string): never => {
    throw new StreamError('invalid_parameter', `${param} ${mend}`, id, param);
  };
  const text = (param: string): string | undefined => {
    const value = message[param];
    if (value === undefined || value === null || value === '') return undefined;
    return typeof value === 'string' && value.length <= 100 ? value : refuse(param, 'must be a text');
  };
  const whole = (param: string, max: number): number | undefined => {
    const value = message[param];
    if (value === undefined || value === null) return undefined;
    const good = Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
    return good ? (value as number) : refuse(param, `must be a whole number up to ${max}`);
  };
  if (message.channel !== 'candles') refuse('channel', 'must be candles');
  const source = text('source') ?? 'trade';
  if (source !== 'trade' && source !== 'mid') return refuse('source', 'must be trade or mid');
  const windowing = readWindowing(
    text('interval') ?? refuse('interval', 'is missing; for example 5m'),
    text('hop'),
    id,
  );
  const symbol = (text('symbol') ?? refuse('symbol', 'is missing; for example BTCUSDT')).toUpperCase();
  const limit = whole('limit', TOPIC_CANDLES_MAX) ?? STREAM_CANDLES;
  if (limit === 0) refuse('limit', `must be from 1 to ${TOPIC_CANDLES_MAX}`);
  const since = whole('since', Number.MAX_SAFE_INTEGER);
  return { op: 'subscribe', id, venue: text('venue'), symbol, source, windowing, limit, since };
}

function readWindowing(interval: string, hop: string | undefined, id: SubscriptionId): Windowing {
  try {
    return parseWindowing(interval, hop);
  } catch (error) {
    if (error instanceof IntervalError) throw new StreamError('invalid_parameter', error.message, id, error.param);
    throw error;
  }
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // falls through to the error below, which names the mend
  }
  throw new StreamError('invalid_message', 'a message must be one JSON object, for example {"op":"ping"}');
}

function isId(value: unknown): value is SubscriptionId {
  return typeof value === 'string' ? value.length > 0 && value.length <= 40 : Number.isSafeInteger(value);
}

/** The text of a snapshot or update; `candles` are JSON already, with commas between them. Units: `sentAtMs` in ms since the epoch. */
export function candlesMessage(
  type: 'snapshot' | 'update',
  id: SubscriptionId,
  seq: number,
  sentAtMs: number,
  candles: string,
): string {
  return `{"type":"${type}","id":${JSON.stringify(id)},"seq":${seq},"sentAt":${sentAtMs},"candles":[${candles}]}`;
}

/** The text of an error. */
export function errorMessage(error: StreamError): string {
  const { id, code, message, param } = error;
  return JSON.stringify({ type: 'error', id, code, message, param });
}
