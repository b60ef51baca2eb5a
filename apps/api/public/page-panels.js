/**
 * The panels beside the chart: tickers, completeness and last trades of the chosen symbol.
 * It must only draw what it is given.
 */
import { clockText, find, grouped, make, measured, minuteText, percent, placesOf, wayOf } from './page-text.js';

const GAPS_SHOWN = 4;

/** Draws the tickers of the last hour and day; undefined where none is recorded. */
export function showTickers(hour, day) {
  const cards = [
    ['Last hour', hour],
    ['Last 24 hours', day],
  ].map(([title, ticker]) =>
    make(
      'section',
      {},
      make('h3', {}, title),
      ...(ticker === undefined ? [nothing('not recorded yet')] : tickerOf(ticker)),
    ),
  );
  find('tickers').replaceChildren(...cards);
}

function tickerOf(ticker) {
  const { priceChangePercent, lowPrice, highPrice, lastPrice, weightedAverage, volume, totalTrades } = ticker;
  const places = placesOf([lowPrice, highPrice, lastPrice]);
  const [low, high, last] = [lowPrice, highPrice, lastPrice].map(Number);
  const share = high > low ? ((last - low) / (high - low)) * 100 : 50;
  const bar = make(
    'div',
    { className: 'range', role: 'img', 'aria-label': `${Math.round(share)} % of the way from low to high` },
    make('i', { className: 'at' }),
  );
  bar.firstChild.style.left = `${share}%`;
  const fact = (name, value) => make('div', { className: 'fact' }, make('dt', {}, name), make('dd', {}, value));
  return [
    make('p', { className: 'big', 'data-way': wayOf(priceChangePercent) }, percent(priceChangePercent)),
    bar,
    make(
      'p',
      { className: 'ends' },
      make('span', {}, grouped(lowPrice, places)),
      make('span', {}, grouped(highPrice, places)),
    ),
    make(
      'dl',
      {},
      fact('Average', grouped(Number(weightedAverage).toFixed(places))),
      fact('Volume', grouped(Number(volume).toFixed(2))),
      fact('Trades', grouped(totalTrades)),
    ),
  ];
}

/** Draws what is stored and what is missing. `seen` counts the candles shown and those of them that are complete. */
export function showCoverage(coverage, seen) {
  const open = coverage.gaps.filter(({ state }) => state === 'open');
  const trades = coverage.channels.find(({ channel }) => channel === 'trade');
  const unheard = coverage.unobserved.find(({ channel, toTime }) => channel === 'trade' && toTime === null);
  find('coverage-note').textContent = trades === undefined ? '' : `${grouped(trades.stored)} trades stored`;
  const share = seen.all === 0 ? 0 : (seen.complete / seen.all) * 100;
  const bar = make(
    'div',
    { className: 'share', role: 'img', 'aria-label': `${Math.floor(share)} % of the candles shown are complete` },
    make('i', { className: 'at' }),
  );
  bar.firstChild.style.width = `${share}%`;
  const lines = open.slice(0, GAPS_SHOWN).map(gapLine);
  if (open.length > GAPS_SHOWN) lines.push(make('li', {}, `and ${open.length - GAPS_SHOWN} more`));
  if (unheard !== undefined)
    lines.unshift(
      make('li', { className: 'warn' }, `Not listening since ${clockText(unheard.fromTime ?? 0).slice(0, 8)} UTC`),
    );
  const list =
    lines.length > 0 ? make('ul', { className: 'gaps' }, ...lines) : make('p', { className: 'fine' }, 'No open gap');
  find('coverage').replaceChildren(
    bar,
    make('p', { className: 'ends' }, make('span', {}, `${seen.complete} of ${seen.all} candles complete`)),
    list,
  );
}

function gapLine({ fromId, toId, fromTime }) {
  const ids = toId - fromId + 1;
  const when = fromTime === null ? '' : ` since ${minuteText(fromTime).slice(11)} UTC`;
  return make(
    'li',
    { className: 'warn' },
    `${grouped(ids)} ${ids === 1 ? 'trade' : 'trades'} missing${when}, being fetched`,
  );
}

let shownIds = new Set();

/** Draws the last trades, newest first; those that were not there before light up. */
export function showTrades(trades) {
  const price = placesOf(trades.map((trade) => trade.price));
  const quantity = placesOf(trades.map((trade) => trade.quantity));
  const largest = Math.max(...trades.map((trade) => Number(trade.quantity)), 0);
  // Where everything is new, nothing stands out.
  const isFollowing = trades.some(({ id }) => shownIds.has(id));
  const rows = trades.toReversed().map((trade) => {
    const way = trade.buyerMaker ? 'down' : 'up';
    const side = make('span', { className: 'hidden' }, trade.buyerMaker ? ' sold' : ' bought');
    const size = make('td', {}, grouped(trade.quantity, quantity));
    size.style.setProperty('--share', largest > 0 ? `${(Number(trade.quantity) / largest) * 100}%` : '0%');
    const isNew = isFollowing && !shownIds.has(trade.id);
    return make(
      'tr',
      { className: isNew ? 'new' : '', 'data-way': way },
      make('td', {}, clockText(trade.time)),
      make('td', {}, grouped(trade.price, price), side),
      size,
    );
  });
  shownIds = new Set(trades.map(({ id }) => id));
  find('trades').tBodies[0].replaceChildren(...rows);
}

/** Empties the panels, for another symbol. */
export function clearPanels() {
  shownIds = new Set();
  find('trades').tBodies[0].replaceChildren();
  showTickers(undefined, undefined);
  find('coverage').replaceChildren(nothing('asking'));
  find('coverage-note').textContent = '';
}

function nothing(text) {
  return make('p', { className: 'fine' }, text);
}

/** The legend of a candle: its numbers, and what it says of itself. */
export function showLegend(candle, closesInMs) {
  if (candle === undefined) return find('legend').replaceChildren();
  const places = placesOf([candle.open, candle.high, candle.low, candle.close]);
  const fact = (name, value, className = '') => make('span', { className }, `${name} `, make('b', {}, value));
  const prices = ['open', 'high', 'low', 'close'].map((name) =>
    fact(name[0].toUpperCase(), grouped(candle[name], places)),
  );
  const running = closesInMs === undefined ? 'running' : `closes in ${countdown(closesInMs)}`;
  const flags = [
    make('em', { className: candle.closed ? '' : 'running' }, candle.closed ? 'closed' : running),
    ...(candle.complete ? [] : [make('em', { className: 'warn' }, 'incomplete')]),
    ...(candle.revision > 0 ? [make('em', { className: 'revised' }, `revised ${candle.revision}×`)] : []),
  ];
  const more = [fact('Vol', measured(Number(candle.volume)), 'more'), fact('Trades', grouped(candle.trades), 'more')];
  find('legend').replaceChildren(
    make('span', { className: 'when' }, `${minuteText(candle.openTime)} UTC`),
    ...prices,
    ...more,
    ...flags,
  );
}

function countdown(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours >= 24) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  const two = (value) => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** A candle in words, for those who listen. */
export function wordsOf(candle) {
  const state = [candle.closed ? 'closed' : 'running', candle.complete ? 'complete' : 'incomplete'];
  if (candle.revision > 0) state.push(`revised ${candle.revision} times`);
  return `${minuteText(candle.openTime)} UTC: open ${candle.open}, high ${candle.high}, low ${candle.low}, close ${candle.close}, ${candle.trades} trades, ${state.join(', ')}`;
}
