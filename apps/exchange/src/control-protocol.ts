/**
 * The control messages of the market sockets: SUBSCRIBE and its kin, with Binance's replies and error texts.
 * It must be pure: it is handed the connection's streams and says what to reply and to change.
 */

/** What the connection is to do after a message. */
export type ControlResult = {
  readonly reply: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly combined?: boolean;
};

/** What a message is judged by. */
export type ControlState = { readonly streams: ReadonlySet<string>; readonly combined: boolean };

/** Most streams of one connection. */
export const STREAMS_MAX = 1024;

const METHODS = ['SUBSCRIBE', 'UNSUBSCRIBE', 'LIST_SUBSCRIPTIONS', 'SET_PROPERTY', 'GET_PROPERTY'];
const METHOD_LIST = METHODS.map((method) => `\`${method}\``).join(', ');
const ID_ERROR = 'Invalid request: request ID must be an unsigned integer';

type Id = number | string | null;

/** Judges one text message of a client. */
export function answerControl(text: string, state: ControlState): ControlResult {
  const message = parseJson(text);
  if (message === undefined) return failed(3, `Invalid JSON: expected value at ${placeOfError(text)}`);
  if (!isRecord(message)) return failed(2, `Invalid request: missing field \`method\` at ${endOf(text)}`);
  const { method, params, id } = message;
  if (method === undefined) return failed(2, `Invalid request: missing field \`method\` at ${endOf(text)}`);
  if (typeof method !== 'string' || !METHODS.includes(method)) {
    const place = `line 1 column ${Math.max(1, text.indexOf(JSON.stringify(method)) + JSON.stringify(method).length)}`;
    return failed(
      2,
      `Invalid request: unknown variant \`${String(method).slice(0, 64)}\`, expected one of ${METHOD_LIST} at ${place}`,
    );
  }
  if (!isId(id)) return failed(2, ID_ERROR);
  return answerMethod(method, params, id, state);
}

function answerMethod(method: string, params: unknown, id: Id, state: ControlState): ControlResult {
  switch (method) {
    case 'SUBSCRIBE':
    case 'UNSUBSCRIBE':
      return answerStreams(method, params, id, state);
    case 'LIST_SUBSCRIPTIONS':
      if (Array.isArray(params) && params.length > 0) return failed(2, 'Invalid request: too many parameters', id);
      return done(id, [...state.streams]);
    case 'GET_PROPERTY':
      return answerGet(params, id, state);
    default:
      return answerSet(params, id);
  }
}

function answerStreams(method: string, params: unknown, id: Id, state: ControlState): ControlResult {
  if (!Array.isArray(params) || !params.every((name): name is string => typeof name === 'string')) {
    return failed(2, 'Invalid request: params must be an array of strings', id);
  }
  if (method === 'UNSUBSCRIBE') return { ...done(id, null), unsubscribe: params };
  if (new Set([...state.streams, ...params]).size > STREAMS_MAX) {
    return failed(2, `Invalid request: too many streams; a connection can listen to a maximum of ${STREAMS_MAX}`, id);
  }
  return { ...done(id, null), subscribe: params };
}

function answerGet(params: unknown, id: Id, state: ControlState): ControlResult {
  const list = Array.isArray(params) ? params : [];
  if (list.length > 1) return failed(2, 'Invalid request: too many parameters', id);
  if (typeof list[0] !== 'string') return failed(2, 'Invalid request: property name must be a string', id);
  return list[0] === 'combined' ? done(id, state.combined) : failed(0, 'Unknown property', id);
}

function answerSet(params: unknown, id: Id): ControlResult {
  const list = Array.isArray(params) ? params : [];
  if (list.length > 2) return failed(2, 'Invalid request: too many parameters', id);
  if (typeof list[0] !== 'string') return failed(2, 'Invalid request: property name must be a string', id);
  if (list[0] !== 'combined') return failed(0, 'Unknown property', id);
  if (typeof list[1] !== 'boolean') return failed(1, 'Invalid value type: expected Boolean', id);
  return { ...done(id, null), combined: list[1] };
}

/** The error reply to a message that is well-formed but refused. */
export function refusal(text: string): string {
  const message = parseJson(text);
  const id = isRecord(message) && isId(message.id) ? message.id : null;
  return failed(2, 'Invalid request: the service refused it', id).reply;
}

function done(id: Id, result: unknown): ControlResult {
  return { reply: JSON.stringify({ result, id }), subscribe: [], unsubscribe: [] };
}

function failed(code: number, msg: string, id?: Id): ControlResult {
  const reply = JSON.stringify(id === undefined ? { code, msg } : { code, msg, id });
  return { reply, subscribe: [], unsubscribe: [] };
}

function isId(id: unknown): id is Id {
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

// Engines word their errors differently; where the text stops being JSON is found by its longest clean beginning.
function placeOfError(text: string): string {
  const first = text.search(/\S/);
  const position = first !== -1 && '{["'.includes(text[first] as string) ? text.length : Math.max(first, 0) + 1;
  const before = text.slice(0, position);
  return `line ${before.split('\n').length} column ${position - (before.lastIndexOf('\n') + 1)}`;
}

function endOf(text: string): string {
  return `line ${text.split('\n').length} column ${text.length - (text.lastIndexOf('\n') + 1)}`;
}
