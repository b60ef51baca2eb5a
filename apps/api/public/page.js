/**
 * The page: wires choices, chart, stream, tables and status.
 * It must load nothing from elsewhere, and never show a simulated or replayed market without saying so.
 */
import { createCandleChart } from './page-chart.js';
import { openStream } from './page-stream.js';

const INTERVALS = ['1m', '3m', '5m', '15m', '30m', '1h', '4h', '1d', '1w', '1M'];
const HOPS = ['same', '1m', '5m', '1h'];
const MINUTES = { m: 1, h: 60, d: 1440, w: 10080 };
const CANDLES = 300;
const TRADES = 12;

const find = (id) => document.getElementById(id);
const chosen = { symbol: '', interval: '5m', hop: '1m', source: 'trade', ...readHash() };
const chart = createCandleChart(find('chart'), (candle) => showLegend(candle ?? chart.newest()));
const stream = openStream({
  snapshot(candles) {
    chart.replace(candles);
    showNewest();
  },
  update(candles) {
    chart.merge(candles);
    showNewest();
  },
  state: showLink,
  error: (message) => showLink('lost', message),
});

function readHash() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

function minutesOf(text) {
  return text === '1M' ? 40000 : Number.parseInt(text, 10) * MINUTES[text.at(-1)];
}

function fill(select, values, current) {
  select.replaceChildren(
    ...values.map((value) => new Option(value === 'same' ? 'none' : value, value, false, value === current)),
  );
}

function fillHops() {
  const width = minutesOf(chosen.interval);
  const hops =
    chosen.interval === '1M'
      ? ['same']
      : HOPS.filter((hop) => hop === 'same' || (minutesOf(hop) < width && width / minutesOf(hop) <= 1440));
  if (!hops.includes(chosen.hop)) chosen.hop = 'same';
  fill(find('hop'), hops, chosen.hop);
}

function show() {
  fillHops();
  history.replaceState(null, '', `#${new URLSearchParams(chosen)}`);
  document.title = `${chosen.symbol} · Wickstream`;
  find('price-symbol').textContent = chosen.symbol;
  for (const id of ['trades', 'tickers']) find(id).tBodies[0].replaceChildren();
  chart.replace([]);
  const { symbol, interval, hop, source } = chosen;
  stream.show({ symbol, interval, ...(hop === 'same' ? {} : { hop }), source, limit: CANDLES });
  refreshTables();
}

function showNewest() {
  const newest = chart.newest();
  find('empty').hidden = newest !== undefined;
  showLegend(newest);
  if (newest === undefined) return;
  find('price').textContent = newest.close;
  document.title = `${newest.close} ${chosen.symbol} · Wickstream`;
  const percent = (Number(newest.close) / Number(newest.open) - 1) * 100;
  find('change').textContent = `${percent >= 0 ? '+' : ''}${percent.toFixed(2)} % in ${chosen.interval}`;
  find('change').dataset.way = percent >= 0 ? 'up' : 'down';
}

function showLegend(candle) {
  const parts = candle === undefined ? [] : legendOf(candle);
  find('legend').replaceChildren(...parts);
}

function legendOf(candle) {
  const span = (label, value) => element('span', [label, ' ', element('b', [value])]);
  const flag = (text, warn) => element('em', [text], warn ? 'warn' : '');
  return [
    span('', `${new Date(candle.openTime).toISOString().slice(0, 16).replace('T', ' ')} UTC`),
    ...['open', 'high', 'low', 'close', 'volume'].map((name) => span(name[0].toUpperCase(), candle[name])),
    span('trades', String(candle.trades)),
    flag(candle.closed ? 'closed' : 'running'),
    ...(candle.complete ? [] : [flag('incomplete', true)]),
    ...(candle.revision > 0 ? [flag(`revised ${candle.revision}×`)] : []),
  ];
}

function element(name, children, className = '') {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function showLink(state, text) {
  find('link').dataset.state = state;
  find('link-text').textContent = text;
}

async function ask(path) {
  const answer = await fetch(path);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error?.message ?? `HTTP ${answer.status}`);
  return body;
}

async function refreshTables() {
  const symbol = encodeURIComponent(chosen.symbol);
  const [trades, hour, day] = await Promise.allSettled([
    ask(`/v1/trades?symbol=${symbol}&limit=${TRADES}`),
    ask(`/v1/tickers?symbol=${symbol}&window=1h&limit=1`),
    ask(`/v1/tickers?symbol=${symbol}&window=1d&limit=1`),
  ]);
  if (symbol !== encodeURIComponent(chosen.symbol)) return;
  if (trades.status === 'fulfilled') showTrades(trades.value.trades);
  showTickers(hour.value?.tickers.at(-1), day.value?.tickers.at(-1));
}

function showTrades(trades) {
  const rows = trades
    .toReversed()
    .map((trade) =>
      element('tr', [
        element('td', [new Date(trade.time).toISOString().slice(11, 23)]),
        element('td', [trade.price], trade.buyerMaker ? 'down' : 'up'),
        element('td', [trade.quantity]),
      ]),
    );
  find('trades').tBodies[0].replaceChildren(...rows);
}

function showTickers(hour, day) {
  const lines = [
    ['Change', (one) => `${one.priceChangePercent} %`],
    ['High', (one) => one.highPrice],
    ['Low', (one) => one.lowPrice],
    ['Average', (one) => one.weightedAverage],
    ['Volume', (one) => one.volume],
    ['Trades', (one) => String(one.totalTrades)],
  ];
  const rows = lines.map(([label, read]) =>
    element(
      'tr',
      [label, ...[hour, day].map((one) => (one ? read(one) : '–'))].map((text) => element('td', [text])),
    ),
  );
  find('tickers').tBodies[0].replaceChildren(...rows);
}

function showStatus(status) {
  const banner = find('banner');
  banner.hidden = !status.simulated && !status.replay;
  if (status.simulated) banner.textContent = 'SIMULATED MARKET: these prices are made up';
  else if (status.replay) {
    const clock =
      status.replay.clock === null
        ? ''
        : ` · recorded ${new Date(status.replay.clock).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
    banner.textContent = `REPLAY ${status.replay.state.toUpperCase()}${clock}`;
  }
  const number = (value, unit = '') =>
    value === null || value === undefined ? '–' : `${Math.round(value * 10) / 10}${unit}`;
  const lag = Math.max(0, ...status.shards.map((shard) => shard.lagMs ?? 0));
  const facts = [
    ['Feed', status.feed],
    [
      'Database',
      status.engine === null ? 'does not answer' : `${status.engine.name} ${status.engine.version}`,
      status.engine === null,
    ],
    ['Ticks', number(status.ticksPerSecond, ' /s')],
    [
      'Frame to candle',
      `${number(status.frameToCandleMs.p50, ' ms')} (p99 ${number(status.frameToCandleMs.p99, ' ms')})`,
    ],
    ['Shard lag', `${lag} ms`, lag > 5000],
    [
      'Open gaps',
      status.gaps.open === null ? '–' : `${status.gaps.open} (${status.gaps.ids} ids)`,
      status.gaps.open > 0,
    ],
    ['Up', `${Math.floor(status.uptime / 3600)} h ${Math.floor((status.uptime / 60) % 60)} min`],
  ];
  const items = facts.map(([label, value, warn]) =>
    element('div', [element('dt', [label]), element('dd', [value], warn ? 'warn' : '')]),
  );
  find('status').replaceChildren(...items);
}

async function refreshSymbols() {
  const { symbols } = await ask('/v1/symbols');
  const names = symbols.map(({ symbol }) => symbol);
  if (names.length === 0) return false;
  const before = chosen.symbol;
  if (!names.includes(chosen.symbol)) chosen.symbol = names[0];
  const shown = [...find('symbol').options].map(({ value }) => value).join();
  if (shown !== names.join()) fill(find('symbol'), names, chosen.symbol);
  if (before !== chosen.symbol || shown === '') show();
  return true;
}

function repeat(act, everyMs) {
  const run = () =>
    act()
      .catch(() => undefined)
      .finally(() => setTimeout(run, document.hidden ? everyMs * 5 : everyMs));
  run();
}

fill(find('interval'), INTERVALS, chosen.interval);
find('source').value = chosen.source;
fillHops();
for (const name of ['symbol', 'interval', 'hop', 'source']) {
  find(name).addEventListener('change', ({ target }) => {
    chosen[name] = target.value;
    show();
  });
}
repeat(refreshSymbols, 5000);
repeat(async () => showStatus(await ask('/v1/status')), 2000);
repeat(async () => chosen.symbol && refreshTables(), 1500);
