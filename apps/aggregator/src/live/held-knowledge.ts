/**
 * Keeps back the news that a gap has closed until the bars it changed are published, so that no candle is called complete before it is.
 * It must never keep back that a gap has opened.
 */
import type { Gap, LiveSymbol, Unobserved } from '@wickstream/shared/live-codec';

type Lists = { readonly gaps: readonly Gap[]; readonly unobserved: readonly Unobserved[] };

/** What was published of each symbol, and what is kept back. */
export type HeldKnowledge = {
  /**
   * What to publish with a commit: of `changed` symbols and of those kept back before. Shape: `whole` knows a symbol's present lists;
   * `isBehind` says whether bars of it are still to be published.
   */
  release(
    changed: readonly LiveSymbol[],
    whole: (symbol: LiveSymbol) => LiveSymbol,
    isBehind: (symbol: LiveSymbol) => boolean,
  ): LiveSymbol[];
};

/** Creates it for one tenure: readers take what is known from the database when a tenure begins. */
export function createHeldKnowledge(): HeldKnowledge {
  const published = new Map<string, Lists>();
  const held = new Map<string, LiveSymbol>();

  const publish = (symbol: LiveSymbol, lists: Lists): LiveSymbol => {
    published.set(keyOf(symbol), lists);
    return { ...symbol, ...lists };
  };

  const releaseOne = (symbol: LiveSymbol, whole: LiveSymbol, behind: boolean): LiveSymbol => {
    const key = keyOf(symbol);
    const known = published.get(key);
    const present = { gaps: whole.gaps ?? [], unobserved: whole.unobserved ?? [] };
    const isNews = symbol.gaps !== null || symbol.unobserved !== null;
    if (!isNews && !held.has(key)) return symbol;
    if (!behind || known === undefined) {
      held.delete(key);
      return publish(symbol, present);
    }
    held.set(key, symbol);
    const gaps = present.gaps.filter((gap) => !isCovered(gap, known.gaps));
    const unobserved = present.unobserved.filter((time) => {
      const same = known.unobserved.filter((one) => one.channel === time.channel);
      return !isCovered(time, same);
    });
    if (gaps.length + unobserved.length === 0) return { ...symbol, gaps: null, unobserved: null };
    return publish(symbol, {
      gaps: [...known.gaps, ...gaps],
      unobserved: [...known.unobserved, ...unobserved],
    });
  };

  return {
    release: (changed, whole, isBehind) => {
      const named = new Set(changed.map(keyOf));
      const again = [...held.values()].filter((symbol) => !named.has(keyOf(symbol)) && !isBehind(symbol));
      const unchanged = again.map((symbol) => ({ ...whole(symbol), gaps: null, unobserved: null }));
      return [...changed, ...unchanged].map((symbol) => releaseOne(symbol, whole(symbol), isBehind(symbol)));
    },
  };
}

type Times = { readonly fromTsUs: number | null; readonly toTsUs: number };

function isCovered(time: Times, known: readonly Times[]): boolean {
  const fromUs = time.fromTsUs ?? Number.NEGATIVE_INFINITY;
  return known.some((one) => (one.fromTsUs ?? Number.NEGATIVE_INFINITY) <= fromUs && one.toTsUs >= time.toTsUs);
}

function keyOf({ venue, symbol }: LiveSymbol): string {
  return `${venue}\n${symbol}`;
}
