/**
 * The statement that stores sealed batches of one or several shards, and its parameters: lists of all batches, one column after the other.
 * It must send each tick once and each value as the database reads it without a loss; it decides nothing.
 */
import { quotedElement } from '@wickstream/shared/array-text';
import type { SealedBatch, StoredState } from '../step/sealed-batch.ts';

/** One batch that is to be stored, and who may store it. Units: `batch` is the number that the database holds now. */
export type BatchCommit = {
  readonly shard: number;
  readonly term: number;
  readonly owner: string;
  readonly batch: number;
  readonly sealed: SealedBatch;
};

// The types of store_batches' parameters, which all travel as text.
const TYPES = [
  ...['int[]', 'bigint[]', 'bigint[]', 'uuid[]', 'text[]', 'text[]', 'bigint[]', 'boolean[]', 'jsonb'],
  ...[
    'int[]',
    'text[]',
    'text[]',
    'bigint[]',
    'bigint[]',
    'bigint[]',
    'numeric[]',
    'numeric[]',
    'boolean[]',
    'bigint[]',
  ],
  ...[
    'int[]',
    'text[]',
    'text[]',
    'bigint[]',
    'bigint[]',
    'numeric[]',
    'numeric[]',
    'numeric[]',
    'numeric[]',
    'bigint[]',
  ],
];

/** Stores batches and answers with a column `next`: the numbers of the next ones, as a JSON list in the order of the shards. */
export const STORE_STATEMENT = `select array_to_json(public.store_batches(${TYPES.map((type, i) => `$${i + 1}::text::${type}`).join(', ')})) as next`;

/** The parameters of STORE_STATEMENT. Order: `commits` by shard, ascending; the database refuses any other. */
export function storeParameters(commits: readonly BatchCommit[]): string[] {
  const trades = commits.flatMap(({ sealed }) => sealed.trades);
  const quotes = commits.flatMap(({ sealed }) => sealed.quotes);
  return [
    plain(commits, (one) => one.shard),
    plain(commits, (one) => one.term),
    plain(commits, (one) => one.batch),
    plain(commits, (one) => one.owner),
    plain(commits, ({ sealed }) => quotedOrNull(sealed.end.offset)),
    plain(commits, ({ sealed }) => quotedOrNull(sealed.end.anchor)),
    plain(commits, ({ sealed }) => sealed.clockUs ?? 'NULL'),
    plain(commits, ({ sealed }) => (sealed.end.rewind ? 't' : 'f')),
    JSON.stringify(stateOf(commits)),
    shards(commits, ({ sealed }) => sealed.trades.length),
    texts(trades, (row) => row.venue),
    texts(trades, (row) => row.trade.symbol),
    plain(trades, (row) => row.trade.id),
    plain(trades, (row) => row.trade.lastId),
    plain(trades, (row) => row.trade.tsUs),
    plain(trades, (row) => row.trade.price),
    plain(trades, (row) => row.trade.quantity),
    plain(trades, (row) => (row.trade.buyerMaker ? 't' : 'f')),
    plain(trades, (row) => row.trade.receivedAtUs),
    shards(commits, ({ sealed }) => sealed.quotes.length),
    texts(quotes, (row) => row.venue),
    texts(quotes, (row) => row.quote.symbol),
    plain(quotes, (row) => row.quote.id),
    plain(quotes, (row) => row.quote.tsUs),
    plain(quotes, (row) => row.quote.bid),
    plain(quotes, (row) => row.quote.bidQuantity),
    plain(quotes, (row) => row.quote.ask),
    plain(quotes, (row) => row.quote.askQuantity),
    plain(quotes, (row) => row.quote.receivedAtUs),
  ];
}

// The shard of each tick.
function shards(commits: readonly BatchCommit[], countOf: (one: BatchCommit) => number): string {
  const parts = commits.filter((one) => countOf(one) > 0);
  return `{${parts.map((one) => `${one.shard},`.repeat(countOf(one)).slice(0, -1)).join(',')}}`;
}

// Each key costs the database a statement, and most lists are empty in most batches. The rows say whose they are.
function stateOf(commits: readonly BatchCommit[]): Record<string, object[]> {
  const lists: Record<string, object[]> = {};
  for (const { shard, sealed } of commits) {
    for (const [name, rows] of Object.entries(sealed.state) as [keyof StoredState, readonly object[]][]) {
      if (rows.length === 0) continue;
      const list = lists[name] ?? [];
      for (const row of rows) list.push({ shard, ...row });
      lists[name] = list;
    }
  }
  return lists;
}

function quotedOrNull(text: string | null): string {
  return text === null ? 'NULL' : quotedElement(text);
}

// Arrays travel as PostgreSQL's own array text: numbers and checked decimals need no quotes.
function plain<Row>(rows: readonly Row[], fieldOf: (row: Row) => string | number): string {
  let text = '{';
  for (let i = 0; i < rows.length; i++) text += i === 0 ? fieldOf(rows[i] as Row) : `,${fieldOf(rows[i] as Row)}`;
  return `${text}}`;
}

function texts<Row>(rows: readonly Row[], fieldOf: (row: Row) => string): string {
  let last = '';
  let quoted = '""';
  // Rows of a symbol stand together, so the last answer is mostly the next one.
  return plain(rows, (row) => {
    const text = fieldOf(row);
    if (text !== last) {
      last = text;
      quoted = quotedElement(text);
    }
    return quoted;
  });
}
