/**
 * A process of WebSocket clients of the api: each subscribes, and every update is logged with its time.
 * It must not compute anything while it listens; the bench joins the log with what was sent.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../monotonic.ts';
import { createNumberList } from '../percentiles.ts';
import { openLeanSocket } from './lean-socket.ts';
import type { ClientsReply, ClientsRequest } from './messages.ts';

const RETRY_MS = 400;
const OPENING_AT_ONCE = 50;
const LOOK_MS = 20;

type Message = {
  readonly type: string;
  readonly id?: number;
  readonly code?: string;
  readonly candles?: readonly { readonly openTime: number; readonly trades: number }[];
};

const symbolColumn = createNumberList();
const openColumn = createNumberList();
const beforeColumn = createNumberList();
const tradesColumn = createNumberList();
const atColumn = createNumberList();
/** What each client knows: of each symbol the trades of its candles. */
const everyKnown: Map<number, number>[][] = [];
let messages = 0;
let closed = 0;

process.on('message', (request: ClientsRequest) => {
  if (request.kind === 'open') void open(request);
  else void stop(request);
});
process.on('disconnect', () => process.exit());
tell({ kind: 'listening' });

async function open({ url, clients, symbols }: Extract<ClientsRequest, { kind: 'open' }>): Promise<void> {
  for (let from = 0; from < clients; from += OPENING_AT_ONCE) {
    const count = Math.min(OPENING_AT_ONCE, clients - from);
    await Promise.all(Array.from({ length: count }, () => openOne(url, symbols)));
  }
  tell({ kind: 'open' });
}

/** The last updates may be on their way still, on a busy machine for seconds. */
async function stop({ expected, deadlineMs }: Extract<ClientsRequest, { kind: 'stop' }>): Promise<void> {
  const deadline = monotonicMs() + deadlineMs;
  const haveSeen = () =>
    everyKnown.every((known) =>
      expected.every(({ symbol, openMs, trades }) => (known[symbol]?.get(openMs) ?? 0) >= trades),
    );
  while (closed === 0 && !haveSeen() && monotonicMs() < deadline) await delay(LOOK_MS);
  tell({ kind: 'log', log: columns(), messages, closed });
}

/** Resolves when every subscription of the client has its snapshot. */
async function openOne(url: string, symbols: readonly string[]): Promise<void> {
  const known = symbols.map(() => new Map<number, number>());
  everyKnown.push(known);
  const missing = new Set(symbols.keys());
  const complete = Promise.withResolvers<void>();
  const subscribe = (id: number): void => {
    const message = { op: 'subscribe', id, channel: 'candles', symbol: symbols[id], interval: '1m', limit: 2 };
    socket.send(JSON.stringify(message));
  };
  const onText = (bytes: Buffer, from: number, to: number): void => {
    const atMs = monotonicMs();
    messages++;
    const { type, id = 0, candles = [] } = JSON.parse(bytes.toString('latin1', from, to)) as Message;
    // A symbol that has no trade yet, or an api that still loads, refuses; it is asked again until the first snapshot comes.
    if (type === 'error') setTimeout(subscribe, RETRY_MS, id);
    if (type === 'snapshot' && missing.delete(id) && missing.size === 0) complete.resolve();
    for (const { openTime, trades } of candles) {
      const before = known[id]?.get(openTime) ?? 0;
      known[id]?.set(openTime, trades);
      if (type === 'update' && trades > before) logUpdate(id, openTime, before, trades, atMs);
    }
  };
  const socket = await openLeanSocket(url, { onText, onClose: () => closed++ });
  for (const id of missing) subscribe(id);
  await complete.promise;
}

function logUpdate(symbol: number, openMs: number, before: number, trades: number, atMs: number): void {
  symbolColumn.push(symbol);
  openColumn.push(openMs);
  beforeColumn.push(before);
  tradesColumn.push(trades);
  atColumn.push(atMs);
}

function columns() {
  return {
    symbols: symbolColumn.values(),
    openMs: openColumn.values(),
    before: beforeColumn.values(),
    trades: tradesColumn.values(),
    atMs: atColumn.values(),
  };
}

function tell(reply: ClientsReply): void {
  process.send?.(reply);
}
