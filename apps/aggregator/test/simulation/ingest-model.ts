/**
 * An ingest process as a model: it cuts the venue's tape into numbered entries, holds some ticks back, restarts, and sends entries twice.
 * It must send what the real one could send, and nothing else; what is lost on the way it does not hide.
 */
import type { EntryItem } from '@wickstream/shared/entry-codec';
import { controlOf, createProducer, type EntryText, START_US } from '../producer.ts';
import type { StreamModel } from './stream-model.ts';
import type { VenueModel } from './venue-model.ts';

/** A process that sends one venue's ticks. */
export type IngestModel = {
  readonly name: string;
  /** How many ticks of the tape it has passed. */
  passed(): number;
  /** Sends the next ticks; `loses` when the entry is lost on its way. */
  produce(ticks: number, loses: boolean): void;
  /** Sends its last entries again, as a client does whose replies were lost. */
  repeat(entries: number): void;
  /** Ends and starts again after having missed some ticks; with `greets` it says what it listens to and the newest ids. */
  reboot(missed: number, greets: boolean): void;
  /**
   * Hears nothing of the next ticks, while its clock goes on and nobody knows. Then it either ends without a word and starts again, or
   * notices, and says since when it was silent.
   */
  goDeaf(missed: number, notices: boolean, greets: boolean): void;
  /** Gives up the quotes of the next ticks and says so. */
  shed(ticks: number): void;
  /** Sends everything that it still has. */
  finish(): void;
};

const RECENT_MAX = 4;

/** Creates a process. `fate` says what becomes of a tick: zero to send it now, else how many ticks of the tape later; below zero, in a form that is invalid. Without `saysHeard` its entries do not say until when it heard its connections. */
export function createIngestModel(
  name: string,
  venue: VenueModel,
  stream: StreamModel,
  fate: (index: number) => number,
  saysHeard: boolean,
): IngestModel {
  const { tape } = venue;
  let boot = 1;
  let producer = createProducer(name, boot);
  let next = 0;
  let deafSinceUs: number | undefined;
  let held: { item: EntryItem; at: number }[] = [];
  let recent: EntryText[] = [];
  let connection = stream.connection();

  const clockUs = (): number => tape[next - 1]?.receivedAtUs ?? START_US;

  const take = (ticks: number): EntryItem[] => {
    const items: EntryItem[] = [];
    for (const end = Math.min(tape.length, next + ticks); next < end; next++) {
      const tick = tape[next] as VenueModel['tape'][number];
      const later = fate(next);
      if (later > 0) held.push({ item: tick, at: next + later });
      else items.push(later === 0 || tick.kind === 'quote' ? tick : { ...tick, price: 'NaN' });
    }
    venue.reach(next);
    const due = held.filter(({ at }) => at <= next || next === tape.length);
    held = held.filter((one) => !due.includes(one));
    return [...items, ...due.map(({ item }) => item)];
  };

  const add = (items: readonly EntryItem[], loses = false): void => {
    const heardUs = saysHeard ? (deafSinceUs ?? clockUs()) : undefined;
    const entry = producer.entry(items, clockUs(), 'live', heardUs);
    if (loses) return;
    // What was not sent again when Redis came back was answered before it went, and is never sent again.
    if (connection !== stream.connection()) recent = [];
    connection = stream.connection();
    stream.add(entry);
    recent = [...recent.slice(1 - RECENT_MAX), entry];
  };

  const shed = (ticks: number): void => {
    const items = take(ticks);
    const quotes = items.filter((item) => item.kind === 'quote');
    const shedOf = ([symbol, { length: count }]: [string, readonly unknown[]]): EntryItem =>
      controlOf({ kind: 'shed', symbol, channel: 'quote', reason: 'buffer', count, conflated: 0 });
    const sheds = [...Map.groupBy(quotes, ({ symbol }) => symbol)].map(shedOf);
    add([...sheds, ...items.filter((item) => item.kind !== 'quote')]);
  };

  const controls = (kind: 'listen' | 'silence', tsUs: number): EntryItem[] =>
    venue.symbols.flatMap((symbol) =>
      (['trade', 'quote'] as const).map((channel) => controlOf({ kind, symbol, channel, tsUs })),
    );

  const greet = (): void => add([...controls('listen', clockUs() + 1), ...venue.heads(next)]);

  const miss = (ticks: number): void => {
    next = Math.min(tape.length, next + ticks);
    venue.reach(next);
  };

  const goDeaf = (missed: number, notices: boolean, greets: boolean): void => {
    const sinceUs = clockUs();
    deafSinceUs = sinceUs;
    for (let i = 0; i < 2; i++) {
      miss(missed);
      add([]);
    }
    deafSinceUs = undefined;
    if (!notices) reboot(0, greets);
    else add([...controls('silence', sinceUs), ...controls('listen', clockUs() + 1), ...venue.heads(next)]);
  };

  const reboot = (missed: number, greets: boolean): void => {
    producer = createProducer(name, ++boot);
    [held, recent] = [[], []];
    miss(missed);
    if (greets) greet();
  };

  const finish = (): void => {
    while (next < tape.length || held.length > 0) add(take(10));
    add([]);
    next = tape.length;
  };

  return {
    name,
    passed: () => next,
    produce: (ticks, loses) => add(take(ticks), loses),
    repeat: (entries) => {
      recent = recent.slice(-entries);
      connection = stream.connection();
      for (const entry of recent) stream.add(entry);
    },
    reboot,
    goDeaf,
    shed,
    finish,
  };
}
