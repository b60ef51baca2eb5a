/**
 * A producer of stream entries for tests that write to a shard as an ingest does: it numbers them and carries the counts before each.
 * It must not write to Redis itself.
 */
import { type EntryItem, encodeHeader, encodeItem } from '@wickstream/shared/entry-codec';
import { ENTRY_FIELDS } from '@wickstream/shared/names';

/** Creates one run of a live producer; each call gives the fields of its next entry. Units: µs. */
export function createProducer(producer: string, boot: number) {
  let n = 0;
  const before = { trade: 0, quote: 0, ticker: 0, quarantined: 0 };
  return (items: readonly EntryItem[], clockUs: number): string[] => {
    n++;
    const h = encodeHeader({ origin: 'live', venue: 'binance', producer, boot, n, before: { ...before }, clockUs });
    for (const { kind } of items) if (kind !== 'control') before[kind]++;
    return [ENTRY_FIELDS.header, h, ENTRY_FIELDS.lines, items.map(encodeItem).join('\n')];
  };
}
