/**
 * The metrics of gap repair, by the names that dashboards and alerts rely on.
 * It must keep its labels bounded: calls and outcomes.
 */
import { Counter, type Registry } from 'prom-client';

/** What repair counts. */
export type RepairMetrics = {
  repaired(ids: number): void;
  confirmed(ids: number): void;
  /** One answer of the venue; status 0 when there was none. */
  answered(call: string, weight: number, status: number): void;
};

/** Adds repair's counters to a registry. */
export function createRepairMetrics(registry: Registry): RepairMetrics {
  const registers = [registry];
  const repaired = new Counter({
    name: 'wick_repaired_ids_total',
    help: 'Trade ids sent to fill gaps.',
    registers,
  });
  const confirmed = new Counter({
    name: 'wick_confirmed_ids_total',
    help: 'Trade ids found to be empty at the source.',
    registers,
  });
  const requests = new Counter({
    name: 'wick_repair_requests_total',
    help: 'History calls by outcome: ok, limited, failed.',
    labelNames: ['call', 'outcome'],
    registers,
  });
  const weight = new Counter({
    name: 'wick_repair_weight_total',
    help: 'Request weight used by history calls.',
    registers,
  });
  return {
    repaired: (ids) => repaired.inc(ids),
    confirmed: (ids) => confirmed.inc(ids),
    answered: (call, used, status) => {
      weight.inc(used);
      requests.inc({ call, outcome: outcomeOf(status) });
    },
  };
}

function outcomeOf(status: number): string {
  if (status >= 200 && status < 300) return 'ok';
  return status === 429 || status === 418 || status === 403 ? 'limited' : 'failed';
}
