/**
 * The status strip: feed, rates, times, gaps and shards, and the banner that says that a market is not real.
 * It must never leave a simulated or replayed market without its banner.
 */
import { announce, clockText, find, grouped, make, measured, spanText, tradingText } from './page-text.js';

const RATES_MAX = 60;
const LAG_WARN_MS = 5_000;
const NAMED_MAX = 3;

/** Creates the strip. */
export function createStatusStrip() {
  const rates = [];
  const batches = new Map();
  let gapsBefore = 0;

  const banner = ({ simulated, replay }) => {
    find('banner').hidden = !simulated && replay === undefined;
    find('mark').hidden = !simulated && replay === undefined;
    find('mark').textContent = simulated ? 'simulated' : 'replay';
    document.documentElement.dataset.market = simulated ? 'simulated' : replay === undefined ? 'real' : 'replay';
    const clock =
      replay?.clock == null
        ? ''
        : ` · recorded ${new Date(replay.clock).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
    const text = simulated
      ? 'SIMULATED MARKET — these prices are made up'
      : `REPLAY ${replay?.state.toUpperCase()}${clock}`;
    if (find('banner-text').textContent !== text) find('banner-text').textContent = text;
  };

  const gapNews = (open) => {
    if (open === null || open === gapsBefore) return;
    if (open > gapsBefore)
      announce(`${open} open ${open === 1 ? 'gap' : 'gaps'}: trades are missing and are being fetched`);
    else if (open === 0) announce('All gaps are healed');
    gapsBefore = open;
  };

  const factsOf = (status) => {
    const { feed, flow, engine, ticksPerSecond, frameToCandleMs, gaps, shards, uptime, clients, notTrading } = status;
    const lagMs = Math.max(0, ...shards.map((shard) => shard.lagMs ?? 0));
    const open = gaps.open ?? 0;
    return [
      ['feed', 'Feed', feed, flow === null ? 'ingest does not answer' : flow, flow !== 'running'],
      ['ticks', 'Ticks a second', measured(ticksPerSecond), sparkline(rates)],
      ['speed', 'Frame to candle', measured(frameToCandleMs.p50, ' ms'), `p99 ${measured(frameToCandleMs.p99, ' ms')}`],
      [
        'gaps',
        'Open gaps',
        gaps.open === null ? '–' : grouped(gaps.open),
        open > 0 ? `${grouped(gaps.ids)} ids, being fetched` : 'nothing is missing',
        open > 0,
      ],
      ['lag', 'Lag', `${grouped(lagMs)} ms`, `${shards.length} shards`, lagMs > LAG_WARN_MS],
      [
        'database',
        'Database',
        engine === null ? 'does not answer' : engine.name,
        engine?.version ?? '',
        engine === null,
      ],
      ...(notTrading.count === 0
        ? []
        : [
            [
              'trading',
              'Not trading',
              `${grouped(notTrading.count)} ${notTrading.count === 1 ? 'symbol' : 'symbols'}`,
              namesOf(notTrading),
              true,
            ],
          ]),
      ['up', 'Up', spanText(uptime), `${clients} ${clients === 1 ? 'viewer' : 'viewers'}`],
    ];
  };

  const shardOf = ({ shard, lagMs, entries, owner, clock, batch }) => {
    const before = batches.get(shard);
    const now = performance.now();
    const rate =
      before === undefined || batch === null || now - before.atMs < 1
        ? null
        : ((batch - before.batch) * 1000) / (now - before.atMs);
    batches.set(shard, { batch: batch ?? 0, atMs: now });
    const late = (lagMs ?? 0) > LAG_WARN_MS || owner === null;
    const fact = (name, value) => make('span', {}, make('small', {}, name), ` ${value}`);
    return make(
      'li',
      { className: late ? 'shard warn' : 'shard' },
      make('b', {}, `Shard ${shard}`),
      fact('lag', lagMs === null ? '–' : `${grouped(lagMs)} ms`),
      fact('waiting', entries === null ? '–' : grouped(entries)),
      fact('batch', batch === null ? '–' : grouped(batch)),
      fact('commits/s', rate === null ? '–' : rate.toFixed(1)),
      fact('clock', clock === null ? '–' : clockText(clock).slice(0, 8)),
      fact('owner', owner ?? 'nobody'),
    );
  };

  return {
    show(status) {
      banner(status);
      gapNews(status.gaps.open);
      rates.push(status.ticksPerSecond ?? 0);
      if (rates.length > RATES_MAX) rates.shift();
      const items = factsOf(status).map(([id, label, value, more, warn]) =>
        make(
          'div',
          { id: `status-${id}`, className: warn ? 'warn' : '' },
          make('dt', {}, label),
          make('dd', {}, value),
          make('dd', { className: 'more' }, more),
        ),
      );
      find('status').replaceChildren(...items);
      find('shards').replaceChildren(...status.shards.map(shardOf));
    },
  };
}

function namesOf({ count, symbols }) {
  const named = symbols.slice(0, NAMED_MAX).map(({ symbol, status }) => `${symbol} ${tradingText(status)}`);
  return `${named.join(', ')}${count > named.length ? `, ${count - named.length} more` : ''}`;
}

function sparkline(values) {
  const [width, height] = [92, 16];
  const largest = Math.max(1, ...values);
  const points = values.map(
    (value, i) => `${(i / (RATES_MAX - 1)) * width},${height - 1 - (value / largest) * (height - 2)}`,
  );
  const made = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  made.setAttribute('viewBox', `0 0 ${width} ${height}`);
  made.setAttribute('class', 'spark');
  made.setAttribute('aria-hidden', 'true');
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
  line.setAttribute('points', points.join(' '));
  made.append(line);
  return made;
}
