/**
 * What is shown: symbol, interval, hop and price source, as radio groups, kept in the address so that it can be shared.
 * It must not know what becomes of a choice.
 */
import { find, grouped, make, wayOf } from './page-text.js';

/** Intervals that can be chosen. Order: as the digit keys 1 to 9 and 0. */
export const INTERVALS = ['1m', '3m', '5m', '15m', '30m', '1h', '4h', '1d', '1w', '1M'];

const HOPS = ['same', '1m', '5m', '1h'];
const SOURCES = ['trade', 'mid'];
const TEXTS = { same: 'none', trade: 'trades', mid: 'mid quote' };
const MINUTES = { m: 1, h: 60, d: 1440, w: 10_080, M: 40_320 };
const WINDOWS_MAX = 1440;

const minutesOf = (text) => Number.parseInt(text, 10) * MINUTES[text.at(-1)];

/** The hops that fit an interval. */
export function hopsOf(interval) {
  const width = minutesOf(interval);
  if (interval === '1M') return ['same'];
  return HOPS.filter((hop) => hop === 'same' || (minutesOf(hop) < width && width / minutesOf(hop) <= WINDOWS_MAX));
}

/** Creates the choices. `onChoice` is told what is chosen. */
export function createChoices(onChoice) {
  const chosen = { symbol: '', interval: '5m', hop: '1m', source: 'trade' };
  const groups = { symbol: find('symbols'), interval: find('intervals'), hop: find('hops'), source: find('sources') };
  let symbols = [];

  const readAddress = () => {
    const address = new URLSearchParams(location.hash.slice(1));
    const take = (name, values) => {
      const value = address.get(name);
      if (value !== null && values.includes(value)) chosen[name] = value;
    };
    take('interval', INTERVALS);
    take('hop', HOPS);
    take('source', SOURCES);
    chosen.symbol = address.get('symbol') ?? chosen.symbol;
  };

  const fill = (name, values) => {
    const group = groups[name];
    const texts = [...group.querySelectorAll('input')].map(({ value }) => value);
    if (texts.join() !== values.join()) {
      const legend = group.querySelector('legend');
      group.replaceChildren(legend, ...values.map((value) => option(name, value)));
    }
    for (const input of group.querySelectorAll('input')) input.checked = input.value === chosen[name];
  };

  const option = (name, value) => {
    const input = make('input', { type: 'radio', name, value, id: `${name}-${value}` });
    const text = make('span', { className: 'text' }, TEXTS[value] ?? value);
    const last = name === 'symbol' ? [make('span', { className: 'last' })] : [];
    return make('label', {}, input, text, ...last);
  };

  const show = () => {
    if (!hopsOf(chosen.interval).includes(chosen.hop)) chosen.hop = 'same';
    fill('symbol', symbols);
    fill('interval', INTERVALS);
    fill('hop', hopsOf(chosen.interval));
    fill('source', SOURCES);
  };

  const choose = (name, value) => {
    if (chosen[name] === value) return;
    chosen[name] = value;
    show();
    groups[name].querySelector(':checked')?.closest('label').scrollIntoView({ block: 'nearest', inline: 'nearest' });
    history.replaceState(null, '', `#${new URLSearchParams(chosen)}`);
    onChoice({ ...chosen });
  };

  for (const [name, group] of Object.entries(groups))
    group.addEventListener('change', ({ target }) => choose(name, target.value));
  addEventListener('hashchange', () => {
    readAddress();
    show();
    onChoice({ ...chosen });
  });
  readAddress();
  show();

  return {
    chosen: () => ({ ...chosen }),
    choose,
    /** Takes the symbols that are recorded; chooses the first when none of them is. */
    setSymbols(names) {
      if (names.join() === symbols.join()) return;
      const isFirst = symbols.length === 0;
      symbols = names;
      const isKnown = names.includes(chosen.symbol);
      if (!isKnown) chosen.symbol = names[0];
      show();
      if (isFirst || !isKnown) onChoice({ ...chosen });
    },
    /** Chooses the next or previous of a group. */
    step(name, by) {
      const values = [...groups[name].querySelectorAll('input')].map(({ value }) => value);
      const next = values[(values.indexOf(chosen[name]) + by + values.length) % values.length];
      if (next !== undefined) choose(name, next);
    },
    /** Shows the last price of a symbol beside its name. */
    setLast(symbol, candle) {
      const last = find(`symbol-${symbol}`)?.closest('label').querySelector('.last');
      if (last === null || last === undefined) return;
      last.textContent = grouped(candle.close);
      last.dataset.way = wayOf(Number(candle.close) - Number(candle.open));
    },
  };
}
