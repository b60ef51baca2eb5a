/**
 * Carries out one planned request: reads its pages, sends what they hold for the gaps, and confirms what two readings do not show.
 * It must not choose gaps nor retry; whatever fails is planned again by a later sweep.
 */
import type { EntryItem } from '@wickstream/shared/entry-codec';
import type { Quarantined } from '@wickstream/shared/tick';
import type { HistoryRow, RowContext } from '../venue/history-row.ts';
import { AGGREGATES_WEIGHT, type HistoryPage, PAGE_ROWS_MAX, type VenueHistory } from '../venue/venue-history.ts';
import type { WeightBudget } from '../venue/weight-budget.ts';
import type { RepairMemory, Unseen } from './repair-memory.ts';
import type { RepairMetrics } from './repair-metrics.ts';
import { type JudgedPage, judgePage } from './repair-page.ts';
import type { IdRange, RepairGap, RepairRequest } from './repair-plan.ts';
import type { RepairReads } from './repair-reads.ts';
import type { RepairWriter } from './repair-writer.ts';

/** What requests are carried out with. Shape: `singles` says whether the venue serves single trades by id. */
export type RequestTools = {
  readonly history: VenueHistory;
  readonly budget: WeightBudget;
  readonly writer: RepairWriter;
  readonly memory: RepairMemory;
  readonly metrics: RepairMetrics;
  readonly reads: Pick<RepairReads, 'keepEvidence'>;
  readonly singles: boolean;
  readonly shouldStop: () => boolean;
};

/** What a request gave. Units: ids. */
export type RequestOutcome = { repaired: number; confirmed: number };

/** Recent trades by symbol, read at most once in a sweep. */
export type RecentTrades = Map<string, Promise<HistoryPage>>;

/** Carries out a request. Errors: HistoryError, or what Redis and the database throw; what was sent stays sent. */
export async function carryOut(
  tools: RequestTools,
  request: RepairRequest,
  recent: RecentTrades,
): Promise<RequestOutcome> {
  const outcome = { repaired: 0, confirmed: 0 };
  if (request.call === 'trades') await readPage(tools, request, outcome);
  else await readSlice(tools, request, recent, outcome);
  return outcome;
}

async function readPage(
  tools: RequestTools,
  request: Extract<RepairRequest, { call: 'trades' }>,
  outcome: RequestOutcome,
): Promise<void> {
  const { gaps } = request;
  const page = await tools.history.readTrades(request.fromId, contextOf(gaps));
  const judged = judgePage(gaps, page.rows);
  await deliver(tools, gaps, judged, page.nameless, outcome);
  for (const gap of gaps) if (!judged.helped.has(gap.fromId)) tools.memory.fruitless(gap, Date.now());
  await confirm(tools, gaps, judged.missing, page.rows, 'historicalTrades', outcome);
}

async function readSlice(
  tools: RequestTools,
  request: Extract<RepairRequest, { call: 'aggregates' }>,
  recent: RecentTrades,
  outcome: RequestOutcome,
): Promise<void> {
  const { history, budget, memory } = tools;
  const { gaps, fromTsUs, toTsUs } = request;
  const gap = gaps[0] as RepairGap;
  const ragged: IdRange[] = [];
  let from: Parameters<VenueHistory['readAggregates']>[0] = { startMs: fromTsUs / 1000 };
  for (let isLast = false; !isLast && !tools.shouldStop(); ) {
    const page = await history.readAggregates(from, PAGE_ROWS_MAX, contextOf(gaps));
    const last = page.rows.at(-1);
    const rows = page.rows.filter((row) => tsOf(row) < toTsUs);
    const judged = judgePage(gaps, rows);
    ragged.push(...judged.ragged);
    await deliver(tools, gaps, judged, page.nameless, outcome);
    if (!tools.singles) await confirm(tools, gaps, judged.missing, rows, 'aggTrades', outcome);
    from = { fromId: (last?.aggregateId ?? 0) + 1 };
    const noWeight = budget.available(Date.now()) < AGGREGATES_WEIGHT;
    isLast = last === undefined || rows.length < page.rows.length || last.lastId >= gap.toId || noWeight;
  }
  if (ragged.length > 0) await readEdges(tools, gap, ragged, recent, outcome);
  if (outcome.repaired + outcome.confirmed === 0) memory.fruitless(gap, Date.now());
}

// Where an aggregate reaches beyond the gap, its ids inside are read singly: taken as a whole, it would hold trades that are stored.
async function readEdges(
  tools: RequestTools,
  gap: RepairGap,
  ragged: readonly IdRange[],
  recent: RecentTrades,
  outcome: RequestOutcome,
): Promise<void> {
  const context = contextOf([gap]);
  for (const range of ragged) {
    const edge = [{ ...gap, ...range }];
    const page = tools.singles
      ? await tools.history.readTrades(range.fromId, context)
      : await recentOf(tools, context, recent);
    await deliver(tools, edge, judgePage(edge, page.rows), page.nameless, outcome);
  }
}

function recentOf({ history }: RequestTools, context: RowContext, recent: RecentTrades): Promise<HistoryPage> {
  const page = recent.get(context.symbol) ?? history.readTrades(null, context);
  recent.set(context.symbol, page);
  return page;
}

async function deliver(
  { writer, metrics }: RequestTools,
  gaps: readonly RepairGap[],
  { items, ids }: JudgedPage,
  nameless: readonly Quarantined[],
  outcome: RequestOutcome,
): Promise<void> {
  const all: EntryItem[] = [...items];
  const [first] = nameless;
  if (first !== undefined) all.push({ ...first, count: nameless.length });
  if (all.length === 0) return;
  await writer.send(gaps[0] as RepairGap, 'repair', all);
  metrics.repaired(ids);
  outcome.repaired += ids;
}

async function confirm(
  { memory, reads, writer, metrics }: RequestTools,
  gaps: readonly RepairGap[],
  missing: readonly IdRange[],
  rows: readonly HistoryRow[],
  call: string,
  outcome: RequestOutcome,
): Promise<void> {
  const gap = gaps[0] as RepairGap;
  const { symbol } = gap;
  const nowMs = Date.now();
  const empty = memory.notShown(symbol, missing, nowMs);
  if (empty.length === 0) return;
  const told = empty.map((range) => ({ symbol, ...range, evidence: evidenceOf(range, rows, call, nowMs) }));
  await reads.keepEvidence(told);
  const controls = told.map(({ fromId, toId, evidence }) => {
    return { kind: 'control' as const, control: { kind: 'empty' as const, symbol, fromId, toId, evidence } };
  });
  await writer.send(gap, 'control', controls);
  const ids = empty.reduce((sum, range) => sum + range.toId - range.fromId + 1, 0);
  metrics.confirmed(ids);
  outcome.confirmed += ids;
}

function evidenceOf({ fromId, toId, firstMs }: Unseen, rows: readonly HistoryRow[], call: string, nowMs: number) {
  const above = rows.find((row) => row.id > toId)?.id ?? null;
  const below = rows.findLast((row) => row.lastId < fromId)?.lastId ?? null;
  return JSON.stringify({ call, readAtMs: [firstMs, nowMs], idBelow: below, idAbove: above });
}

function contextOf(gaps: readonly RepairGap[]): RowContext {
  const { symbol, clockUs } = gaps[0] as RepairGap;
  return { symbol, nowUs: clockUs, receivedAtUs: Date.now() * 1000 };
}

function tsOf({ item }: HistoryRow): number {
  return item.kind === 'trade' ? item.tsUs : Number.NEGATIVE_INFINITY;
}
