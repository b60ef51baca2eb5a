/**
 * The page: wires the client to choices, chart, panels, status and control.
 * It must load nothing from elsewhere, and never show a simulated or replayed market without saying so.
 */
import { createClient } from '/client/client.js';
import { createKeyPrompt, keptKey, wantsKey } from './page-access.js';
import { createCandleChart } from './page-chart.js';
import { createChoices, INTERVALS } from './page-choices.js';
import { createFeedControl } from './page-control.js';
import { createShortcuts, createTheme } from './page-keys.js';
import { clearPanels, showCoverage, showLegend, showTickers, showTrades, wordsOf } from './page-panels.js';
import { createStatusStrip } from './page-status.js';
import { announce, find, grouped, percent, tradingText, wayOf } from './page-text.js';

const CANDLES = 300;
const TRADES = 14;
const WATCHED_MAX = 8;
const REASONS = { silent: 'feed is silent', lost: 'feed is lost', not_listening: 'not listening' };

const client = createClient({ apiKey: keptKey(), retries: 0 });
const keyPrompt = createKeyPrompt();
const strip = createStatusStrip();
const watched = new Map();
let subscription;
let isReplay = false;
let isKnown = false;
let pointed;
let reading;
let clockAheadMs = 0;

const chart = createCandleChart(find('chart'), {
  onHover(candle) {
    // The chart also tells where the reading mark is; that is no pointer.
    pointed = find('chart').matches(':hover') ? candle : undefined;
    legend();
  },
  onScroll: (atNewest) => {
    find('live').hidden = atNewest;
  },
});
const choices = createChoices(show);
const theme = createTheme(() => chart.repaint());
const control = createFeedControl(
  (action, apiKey = keptKey()) => {
    const caller = createClient({ apiKey, retries: 0 });
    return action === 'stop' ? caller.stopFeed() : caller.startFeed();
  },
  () => quietly(refreshStatus),
);

function show({ symbol, interval, hop, source }) {
  subscription?.close();
  reading = pointed = undefined;
  chart.replace([]);
  clearPanels();
  find('name').textContent = symbol;
  find('price').textContent = '–';
  find('change').textContent = '';
  find('empty').hidden = true;
  announce(
    `${symbol}, ${interval} candles${hop === 'same' ? '' : ` every ${hop}`}, ${source === 'mid' ? 'mid quote' : 'trades'}`,
  );
  const question = { symbol, interval, source, limit: CANDLES, ...(hop === 'same' ? {} : { hop }) };
  subscription = client.subscribe(question, {
    onChange({ kind, changed, candles, sentAt }) {
      clockAheadMs = sentAt - Date.now();
      if (kind === 'snapshot') {
        chart.replace(candles);
        quietly(refreshCoverage);
      } else chart.merge(changed);
      showNewest();
    },
    onState: showLink,
    onError: (error) => showLink({ state: 'lost', reason: error.message }),
  });
  quietly(refreshMarket);
}

function showNewest() {
  const newest = chart.newest();
  const { symbol, interval } = choices.chosen();
  find('empty').hidden = newest !== undefined;
  legend();
  if (newest === undefined) return;
  const change = Number(newest.close) - Number(newest.open);
  find('price').textContent = grouped(newest.close);
  find('price').dataset.way = wayOf(change);
  find('change').textContent = `${percent((change / Number(newest.open)) * 100)} in ${interval}`;
  find('change').dataset.way = wayOf(change);
  document.title = `${grouped(newest.close)} ${symbol} · Wickstream`;
  const { all, complete } = seen();
  find('shown').textContent = `${complete} of ${all} complete`;
}

function seen() {
  const candles = chart.candles();
  return { all: candles.length, complete: candles.filter(({ complete }) => complete).length };
}

function legend() {
  const candle = reading ?? pointed ?? chart.newest();
  const closesInMs = candle === undefined || isReplay ? undefined : candle.closeTime - Date.now() - clockAheadMs;
  showLegend(candle, closesInMs);
}

function showLink({ state, reason, status }) {
  const text = {
    live: 'live',
    connecting: 'connecting',
    stale: status === undefined ? (REASONS[reason] ?? 'stale') : tradingText(status),
    lost: 'connection lost, trying again',
    refused: 'a key is needed',
  }[state];
  if (find('link-text').textContent === text) return;
  const before = find('link').dataset.state;
  find('link').dataset.state = state;
  find('link').title = reason ?? '';
  find('link-text').textContent = text;
  // Another choice connects anew; that is no news.
  if (state !== 'connecting' && before !== 'connecting') announce(text);
}

function watchLast(names) {
  for (const symbol of names.slice(0, WATCHED_MAX)) {
    if (watched.has(symbol)) continue;
    const onChange = ({ candles }) => candles.length > 0 && choices.setLast(symbol, candles.at(-1));
    watched.set(symbol, client.subscribe({ symbol, interval: '1h', limit: 1 }, { onChange }));
  }
}

async function refreshSymbols() {
  // Nothing of a market is shown before it is known whether it is real.
  if (!isKnown) return;
  const { symbols } = await client.symbols();
  const names = symbols.map(({ symbol }) => symbol);
  find('empty').hidden = names.length > 0 && chart.newest() !== undefined;
  if (names.length === 0) return;
  choices.setSymbols(names);
  watchLast(names);
}

async function refreshMarket() {
  const { symbol } = choices.chosen();
  const [trades, hour, day] = await Promise.allSettled([
    client.trades({ symbol, limit: TRADES }),
    client.tickers({ symbol, window: '1h', limit: 1 }),
    client.tickers({ symbol, window: '1d', limit: 1 }),
  ]);
  if (symbol !== choices.chosen().symbol) return;
  if (trades.status === 'fulfilled') showTrades(trades.value.trades);
  showTickers(hour.value?.tickers.at(-1), day.value?.tickers.at(-1));
}

async function refreshCoverage() {
  const { symbol } = choices.chosen();
  const coverage = await client.coverage({ symbol });
  if (symbol === choices.chosen().symbol) showCoverage(coverage, seen());
}

async function refreshStatus() {
  const status = await client.status();
  isReplay = status.replay !== undefined;
  strip.show(status);
  control.show(status.flow);
  if (isKnown) return;
  isKnown = true;
  await refreshSymbols();
}

function read(by) {
  reading = chart.read(by);
  legend();
  if (reading !== undefined) announce(wordsOf(reading));
}

find('chart').tabIndex = 0;
find('chart').addEventListener('keydown', (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -CANDLES, End: CANDLES }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  read(by);
});
find('chart').addEventListener('blur', () => {
  reading = undefined;
  chart.stopReading();
  legend();
});
find('live').addEventListener('click', () => chart.toNewest());

createShortcuts([
  { shown: ['['], keys: ['['], text: 'previous symbol', act: () => choices.step('symbol', -1) },
  { shown: [']'], keys: [']'], text: 'next symbol', act: () => choices.step('symbol', 1) },
  {
    ...{ shown: ['1', '…', '9', '0'], keys: [...'1234567890'], text: `interval: ${INTERVALS.join(', ')}` },
    act: (key) => choices.choose('interval', INTERVALS[(Number(key) + 9) % 10]),
  },
  { shown: ['H'], keys: ['h', 'H'], text: 'next hop', act: () => choices.step('hop', 1) },
  { shown: ['M'], keys: ['m', 'M'], text: 'trades or mid quote', act: () => choices.step('source', 1) },
  { shown: ['+'], keys: ['+', '='], text: 'zoom in', act: () => chart.zoom(0.7) },
  { shown: ['−'], keys: ['-'], text: 'zoom out', act: () => chart.zoom(1.4) },
  { shown: ['L'], keys: ['l', 'L'], text: 'newest candle', act: () => chart.toNewest() },
  {
    shown: ['C'],
    keys: ['c', 'C'],
    text: 'to the chart: ← → read candles, Home and End its ends',
    act: () => find('chart').focus(),
  },
  { shown: ['F'], keys: ['f', 'F'], text: 'stop or start the feed', act: () => find('feed').click() },
  { shown: ['T'], keys: ['t', 'T'], text: 'colours: system, dark, light', act: theme.next },
  { shown: ['?'], keys: ['?'], text: 'this list', act: () => find('help').click() },
]);

function showRefusal(error) {
  if (wantsKey(error)) keyPrompt.ask(error);
  if (!isKnown) showLink({ state: wantsKey(error) ? 'refused' : 'lost', reason: error.message });
}

// What fails is tried again by its own clock.
function quietly(act) {
  act().catch(() => undefined);
}

// Runs again after each end, slower while nobody looks; what fails is tried again.
function repeat(act, everyMs) {
  const run = () =>
    act()
      .catch(() => undefined)
      .finally(() => setTimeout(run, document.hidden ? everyMs * 8 : everyMs));
  run();
}

addEventListener('online', client.hurry);
document.addEventListener('visibilitychange', () => !document.hidden && client.hurry());
clearPanels();
repeat(refreshSymbols, 5000);
repeat(() => refreshStatus().catch(showRefusal), 2000);
repeat(async () => choices.chosen().symbol !== '' && refreshMarket(), 1000);
repeat(async () => choices.chosen().symbol !== '' && refreshCoverage(), 3000);
setInterval(legend, 1000);
