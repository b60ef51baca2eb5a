/**
 * Turns the rows of a file into entries of the stream: each brings trades and wants their ids, so that one commit holds both.
 * It must be pure, and must never want ids that the file does not reach.
 */
import { type Control, encodeItem } from '@wickstream/shared/entry-codec';
import { SAMPLE_LENGTH_MAX } from '@wickstream/shared/tick';
import type { TradeRow } from './trade-csv.ts';

/** Most trades of an entry. */
export const ENTRY_TRADES_MAX = 2_500;

/** Most text of an entry. Units: UTF-16 code units. */
export const ENTRY_LENGTH_MAX = 300_000;

/** An entry that can be sent. Units: µs, of its trades. */
export type ImportEntry = {
  readonly lines: readonly string[];
  readonly trades: number;
  readonly quarantined: number;
  readonly fromTsUs: number;
  readonly toTsUs: number;
};

/** A range of ids and the time that it explains. Units: ids inclusive; µs. */
export type IdSpan = {
  readonly fromId: number;
  readonly toId: number;
  readonly fromTsUs: number;
  readonly toTsUs: number;
};

/** What stands before an entry's first row: where its ids go on from, a range before them that nobody asked for, and whether they are the very next ones of the ledger. */
export type EntryStart = {
  readonly fromId: number;
  readonly fromTsUs: number;
  readonly unwanted: IdSpan | undefined;
  readonly goesOn: boolean;
};

/** Collects rows. Order: as they stand in the file. */
export type ImportEntries = {
  /** Adds a row; `start` is asked for when it is the first one of an entry. */
  add(row: TradeRow, start: () => EntryStart): void;
  isFull(): boolean;
  /** What was collected since the last time; undefined when nothing was. */
  take(): ImportEntry | undefined;
};

/** Creates the collector of a symbol. Units: `receivedAtUs` stamps every row, µs. */
export function createImportEntries(symbol: string, receivedAtUs: number): ImportEntries {
  let rows: string[] = [];
  let length = 0;
  let quarantined = 0;
  let start: EntryStart | undefined;
  let span: IdSpan = NOTHING;
  let hasHoles = false;

  return {
    add: (row, startOf) => {
      start ??= startOf();
      hasHoles ||= row.id !== (rows.length === 0 ? start.fromId : span.toId + 1);
      const line = row.isNull ? nullTrade(symbol, row, receivedAtUs) : tradeLine(symbol, row, receivedAtUs);
      if (row.isNull) quarantined++;
      rows.push(line);
      length += line.length;
      span = {
        fromId: Math.min(span.fromId, row.id),
        toId: Math.max(span.toId, row.lastId),
        fromTsUs: Math.min(span.fromTsUs, row.tsUs),
        toTsUs: Math.max(span.toTsUs, row.tsUs),
      };
    },
    isFull: () => rows.length >= ENTRY_TRADES_MAX || length >= ENTRY_LENGTH_MAX,
    take: () => {
      if (start === undefined) return undefined;
      const { unwanted } = start;
      const fromId = Math.min(start.fromId, span.fromId);
      const fromTsUs = Math.min(start.fromTsUs, span.fromTsUs);
      const own = controlLine(want(symbol, { ...span, fromId, fromTsUs }));
      const before = (unwanted ? doNotWant(symbol, unwanted) : []).map(controlLine);
      // The very next ids open no gap, so that saying what they explain is enough; else the gap comes first, and the trades fill it.
      const lines = start.goesOn && !hasHoles ? [...rows, own] : [...before, own, ...rows];
      const entry = {
        lines,
        trades: rows.length - quarantined,
        quarantined,
        fromTsUs: span.fromTsUs,
        toTsUs: span.toTsUs,
      };
      rows = [];
      length = 0;
      quarantined = 0;
      start = undefined;
      span = NOTHING;
      hasHoles = false;
      return entry;
    },
  };
}

const NOTHING: IdSpan = {
  fromId: Number.POSITIVE_INFINITY,
  toId: Number.NEGATIVE_INFINITY,
  fromTsUs: Number.POSITIVE_INFINITY,
  toTsUs: Number.NEGATIVE_INFINITY,
};

/** The control that wants a range of ids. */
export function want(symbol: string, { fromId, toId, fromTsUs, toTsUs }: IdSpan): Control {
  return { kind: 'want', symbol, fromId, toId, fromTsUs, toTsUs };
}

/** One line of an entry for a control. */
export function controlLine(control: Control): string {
  return encodeItem({ kind: 'control', control });
}

// First a gap with its own bounds in time, then nobody wants it: its time counts as not observed. The gap begins at the very time of the last
// id before it, which was observed.
function doNotWant(symbol: string, span: IdSpan): Control[] {
  const { fromId, toId, fromTsUs } = span;
  const last = { fromId: fromId - 1, toId: fromId - 1, fromTsUs: fromTsUs - 1, toTsUs: fromTsUs - 1 };
  return [want(symbol, span), { kind: 'unwanted', symbol, fromId, toId }, want(symbol, last)];
}

function tradeLine(symbol: string, row: TradeRow, receivedAtUs: number): string {
  const { id, lastId, tsUs, price, quantity, buyerMaker } = row;
  return encodeItem({ kind: 'trade', symbol, id, lastId, tsUs, price, quantity, buyerMaker, receivedAtUs });
}

function nullTrade(symbol: string, row: TradeRow, receivedAtUs: number): string {
  const { id, lastId } = row;
  const sample = JSON.stringify(row).slice(0, SAMPLE_LENGTH_MAX);
  const names = { symbol, channel: 'trade', reason: 'null_trade', count: 1 } as const;
  return encodeItem({ kind: 'quarantined', ...names, id, lastId, receivedAtUs, sample });
}
