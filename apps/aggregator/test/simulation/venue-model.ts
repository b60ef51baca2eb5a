/**
 * The venue as a model: one seeded tape, and the history that its REST answers, from which some trades are missing at first.
 * It must be a pure function of its seed and of how far its ticks were sent.
 */
import type { EntryItem } from '@wickstream/shared/entry-codec';
import type { Quote, Trade } from '@wickstream/shared/tick';
import { controlOf, createTape } from '../producer.ts';

/** A venue. `withheld` holds the indexes of the trades that come late, and whose history says nothing of them until then. */
export type VenueModel = {
  readonly symbols: readonly string[];
  readonly tape: readonly (Trade | Quote)[];
  readonly withheld: ReadonlyMap<number, number>;
  /** Takes note that somebody was sent the ticks before `index`. */
  reach(index: number): void;
  /** The trades of a symbol that its history shows now. Order: by id. */
  history(symbol: string): readonly Trade[];
  /** The newest trade of each symbol before `index`, as control items. */
  heads(index: number): EntryItem[];
  /** From now on the history holds everything. */
  reveal(): void;
};

const SYMBOLS = ['AAA', 'BBB'];

/** Creates a venue whose tape has `ticks` ticks, about `stepUs` apart; ids that no trade has are in it too. */
export function createVenueModel(seed: number, random: () => number, ticks: number, stepUs: number): VenueModel {
  const isKept = (tick: Trade | Quote): boolean => tick.kind === 'quote' || random() >= 0.02;
  const tape = createTape(seed, SYMBOLS, ticks, stepUs).filter(isKept);
  const withheld = new Map<number, number>();
  for (const [index, tick] of tape.entries()) {
    if (tick.kind === 'trade' && random() < 0.05) withheld.set(index, 10 + Math.floor(random() * 90));
  }
  let reached = 0;
  let revealed = false;

  const isShown = (index: number): boolean => {
    const delay = withheld.get(index) ?? 0;
    return revealed || index + delay < reached;
  };

  const history = (symbol: string): Trade[] =>
    tape.filter((tick, index): tick is Trade => tick.kind === 'trade' && tick.symbol === symbol && isShown(index));

  const heads = (index: number): EntryItem[] =>
    SYMBOLS.flatMap((symbol) => {
      const last = tape.findLast(
        (tick, at): tick is Trade => at < index && tick.kind === 'trade' && tick.symbol === symbol,
      );
      return last === undefined ? [] : [controlOf({ kind: 'head', symbol, id: last.lastId, tsUs: last.tsUs })];
    });

  return {
    symbols: SYMBOLS,
    tape,
    withheld,
    reach: (index) => {
      reached = Math.max(reached, index);
    },
    history,
    heads,
    reveal: () => {
      revealed = true;
    },
  };
}
