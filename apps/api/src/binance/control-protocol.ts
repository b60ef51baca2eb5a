/**
 * The control messages of the market sockets: SUBSCRIBE and its kin, with Binance's replies and error texts.
 * It must be pure: it is handed the connection's streams and says what to reply and to change.
 */
import { type MarketStream, parseStreamName, StreamNameError } from './stream-name.ts';

/** What the connection is to do after a message. */
export type ControlResult = {
  readonly reply: string;
  readonly id?: ControlId;
  readonly subscribe: readonly MarketStream[];
  readonly unsubscribe: readonly string[];
  readonly combined?: boolean;
};

/** What a message is judged by. */
export type ControlState = { readonly streams: ReadonlySet<string>; readonly combined: boolean };

/** The id of a message. */
export type ControlId = number | string | null;

/** Most streams of one connection. */
export const STREAMS_MAX = 1024;

const METHODS = ['SUBSCRIBE', 'UNSUBSCRIBE', 'LIST_SUBSCRIPTIONS', 'SET_PROPERTY', 'GET_PROPERTY'];
const METHOD_LIST = METHODS.map((method) => `\`${method}\``).join(', ');
const ID_ERROR = 'Invalid request: request ID must be an unsigned integer';

/** Judges one text message of a client. */
export function answerControl(text: string, state: ControlState): ControlResult {
  const message = parseJson(text);
  if (message === undefined) return failed(3, `Invalid JSON: expected value at ${placeOfError(text)}`);
  const { method, params, id = null } = isRecord(message) ? message : ({} as Record<string, unknown>);
  if (method === undefined)
    return failed(2, `Invalid request: missing field \`method\` at ${placeOf(text, text.length)}`);
  if (typeof method !== 'string' || !METHODS.includes(method)) {
    const variant = `unknown variant \`${String(method).slice(0, 64)}\`, expected one of ${METHOD_LIST}`;
    const written = JSON.stringify(method);
    const place = placeOf(text, Math.max(1, text.indexOf(written) + written.length));
    return failed(2, `Invalid request: ${variant} at ${place}`);
  }
  return isId(id) ? answerMethod(method, params, id, state) : failed(2, ID_ERROR);
}

/** The reply that refuses a message. */
export function refusalText(message: string, id?: ControlId): string {
  return failed(2, `Invalid request: ${message}`, id).reply;
}

function answerMethod(method: string, params: unknown, id: ControlId, state: ControlState): ControlResult {
  const list: unknown[] = Array.isArray(params) ? params : [];
  switch (method) {
    case 'LIST_SUBSCRIPTIONS':
      return list.length > 0 ? failed(2, 'Invalid request: too many parameters', id) : done(id, [...state.streams]);
    case 'GET_PROPERTY':
      return refuseProperty(list, 1, id) ?? done(id, state.combined);
    case 'SET_PROPERTY':
      if (list[0] === 'combined' && list.length <= 2 && typeof list[1] !== 'boolean') {
        return failed(1, 'Invalid value type: expected Boolean', id);
      }
      return refuseProperty(list, 2, id) ?? { ...done(id, null), combined: list[1] === true };
    default:
      return answerStreams(method, params, id, state);
  }
}

function answerStreams(method: string, params: unknown, id: ControlId, state: ControlState): ControlResult {
  if (!Array.isArray(params) || !params.every((name): name is string => typeof name === 'string')) {
    return failed(2, 'Invalid request: params must be an array of strings', id);
  }
  if (method === 'UNSUBSCRIBE') return { ...done(id, null), unsubscribe: params };
  if (new Set([...state.streams, ...params]).size > STREAMS_MAX) {
    return failed(2, `Invalid request: too many streams; a connection can listen to a maximum of ${STREAMS_MAX}`, id);
  }
  try {
    return { ...done(id, null), subscribe: params.map(parseStreamName) };
  } catch (error) {
    if (error instanceof StreamNameError) return failed(2, `Invalid request: ${error.message}`, id);
    throw error;
  }
}

function refuseProperty(list: readonly unknown[], max: number, id: ControlId): ControlResult | undefined {
  if (list.length > max) return failed(2, 'Invalid request: too many parameters', id);
  if (typeof list[0] !== 'string') return failed(2, 'Invalid request: property name must be a string', id);
  return list[0] === 'combined' ? undefined : failed(0, 'Unknown property', id);
}

function done(id: ControlId, result: unknown): ControlResult {
  return { reply: JSON.stringify({ result, id }), id, subscribe: [], unsubscribe: [] };
}

function failed(code: number, msg: string, id?: ControlId): ControlResult {
  const reply = JSON.stringify(id === undefined ? { code, msg } : { code, msg, id });
  return { reply, subscribe: [], unsubscribe: [] };
}

function isId(id: unknown): id is ControlId {
  if (id === null) return true;
  if (typeof id === 'number') return Number.isInteger(id);
  return typeof id === 'string' && /^[A-Za-z0-9_-]{1,36}$/.test(id);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// Engines word their errors differently; what cannot begin a value is named where it stands, else the end of the text.
function placeOfError(text: string): string {
  const first = text.search(/\S/);
  const begins = first !== -1 && '{["'.includes(text[first] as string);
  return placeOf(text, begins ? text.length : Math.max(first, 0) + 1);
}

function placeOf(text: string, position: number): string {
  const before = text.slice(0, position);
  return `line ${before.split('\n').length} column ${position - (before.lastIndexOf('\n') + 1)}`;
}
