/**
 * The chart: candles and volume of one series in the colours of the page, hollow where incomplete, with a line below that tells incomplete and revised ones apart.
 * It must not fetch anything. Numbers become floating point here only to be drawn; texts are shown as they came.
 */
import { grouped } from './page-text.js';

const { createChart, CandlestickSeries, HistogramSeries, ColorType, CrosshairMode } = window.LightweightCharts;

const NAMES = ['up', 'down', 'card', 'quiet', 'line', 'warn', 'mark', 'text'];

// The browser resolves light-dark() and the like; the canvas cannot.
function readColours() {
  const probe = document.createElement('i');
  document.body.append(probe);
  const colours = Object.fromEntries(
    NAMES.map((name) => {
      probe.style.color = `var(--${name})`;
      return [name, getComputedStyle(probe).color];
    }),
  );
  probe.remove();
  return colours;
}

const faint = (colour, share) => colour.replace(/^rgb\((.*)\)$/, (_, parts) => `rgba(${parts}, ${share})`);

/** Creates the chart in an element. `onHover` is given the candle under the pointer, or undefined; `onScroll` whether the newest is in view. */
export function createCandleChart(element, { onHover, onScroll }) {
  const chart = createChart(element, {
    autoSize: true,
    crosshair: { mode: CrosshairMode.Normal },
    handleScroll: { vertTouchDrag: false },
    localization: { locale: 'en-GB' },
  });
  const prices = chart.addSeries(CandlestickSeries, { borderVisible: true, priceLineStyle: 1 });
  const volumes = chart.addSeries(HistogramSeries, {
    priceScaleId: 'volume',
    priceFormat: { type: 'volume' },
    lastValueVisible: false,
    priceLineVisible: false,
  });
  const knowledge = chart.addSeries(HistogramSeries, {
    priceScaleId: 'knowledge',
    lastValueVisible: false,
    priceLineVisible: false,
    autoscaleInfoProvider: () => ({ priceRange: { minValue: 0, maxValue: 1 } }),
  });
  prices.priceScale().applyOptions({ scaleMargins: { top: 0.14, bottom: 0.24 } });
  volumes.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0.025 } });
  knowledge.priceScale().applyOptions({ scaleMargins: { top: 0.985, bottom: 0 } });
  const byTime = new Map();
  let order = [];
  let colours = readColours();
  let read;

  const paint = () => {
    colours = readColours();
    const { up, down, card, quiet, line } = colours;
    chart.applyOptions({
      layout: {
        background: { type: ColorType.Solid, color: card },
        textColor: quiet,
        fontFamily: getComputedStyle(document.body).fontFamily,
        fontSize: 11,
        attributionLogo: false,
      },
      grid: { vertLines: { color: faint(line, 0.6) }, horzLines: { color: faint(line, 0.6) } },
      rightPriceScale: { borderVisible: false },
      timeScale: { borderColor: line, timeVisible: true, rightOffset: 5, minBarSpacing: 1 },
      crosshair: {
        vertLine: { color: quiet, labelBackgroundColor: quiet },
        horzLine: { color: quiet, labelBackgroundColor: quiet },
      },
    });
    prices.applyOptions({
      upColor: up,
      downColor: down,
      wickUpColor: up,
      wickDownColor: down,
      borderUpColor: up,
      borderDownColor: down,
    });
  };

  const barOf = (candle) => {
    const [open, close] = [Number(candle.open), Number(candle.close)];
    const colour = close >= open ? colours.up : colours.down;
    const bar = { time: candle.openTime / 1000, open, high: Number(candle.high), low: Number(candle.low), close };
    // Hollow, so that what is not known to be whole never looks like what is.
    return candle.complete
      ? bar
      : { ...bar, color: faint(colour, 0.08), borderColor: faint(colour, 0.75), wickColor: faint(colour, 0.6) };
  };
  const volumeOf = (candle) => ({
    time: candle.openTime / 1000,
    value: Number(candle.volume),
    color: faint(
      Number(candle.close) >= Number(candle.open) ? colours.up : colours.down,
      candle.complete ? 0.38 : 0.16,
    ),
  });
  const knowledgeOf = (candle) => ({
    time: candle.openTime / 1000,
    value: 1,
    color: candle.complete ? (candle.revision > 0 ? colours.mark : 'rgba(0, 0, 0, 0)') : colours.warn,
  });
  const draw = () => {
    const digits = Math.max(0, ...order.slice(-80).map(({ close }) => (close.split('.')[1] ?? '').length));
    prices.applyOptions({
      priceFormat: { type: 'custom', formatter: (price) => grouped(price.toFixed(digits)), minMove: 1 / 10 ** digits },
    });
    prices.setData(order.map(barOf));
    volumes.setData(order.map(volumeOf));
    knowledge.setData(order.map(knowledgeOf));
  };
  const sort = () => {
    order = [...byTime.values()].sort((a, b) => a.openTime - b.openTime);
  };

  paint();
  chart.subscribeCrosshairMove(({ time }) => onHover(time === undefined ? undefined : byTime.get(time * 1000)));
  chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
    onScroll(range === null || order.length === 0 || range.to >= order.length - 1);
  });

  return {
    /** Shows these candles alone, the newest in view. */
    replace(candles) {
      byTime.clear();
      for (const candle of candles) byTime.set(candle.openTime, candle);
      sort();
      read = undefined;
      draw();
      this.toNewest();
    },
    /** Takes changed candles; those before the newest drawn one redraw the chart. */
    merge(candles) {
      const newest = order.at(-1)?.openTime ?? 0;
      for (const candle of candles) byTime.set(candle.openTime, candle);
      sort();
      const changed = [...candles].sort((a, b) => a.openTime - b.openTime);
      if (changed.some(({ openTime }) => openTime < newest)) draw();
      else {
        for (const candle of changed) {
          prices.update(barOf(candle));
          volumes.update(volumeOf(candle));
          knowledge.update(knowledgeOf(candle));
        }
      }
    },
    repaint() {
      paint();
      draw();
    },
    toNewest() {
      const scale = chart.timeScale();
      const width = scale.width() || element.clientWidth - 80;
      const fitting = Math.max(30, Math.min(140, Math.floor(width / 7)));
      const shown = Math.max(30, Math.min(fitting, order.length + 2));
      scale.applyOptions({ barSpacing: width / (shown + 6) });
      scale.scrollToPosition(5, false);
    },
    /** Zooms by a factor, the right edge fixed. */
    zoom(factor) {
      const range = chart.timeScale().getVisibleLogicalRange();
      if (range !== null)
        chart.timeScale().setVisibleLogicalRange({ from: range.to - (range.to - range.from) * factor, to: range.to });
    },
    /** Moves the reading mark by so many candles, or to an end; answers the candle there. */
    read(by) {
      if (order.length === 0) return undefined;
      const at = read === undefined ? order.length : order.findIndex(({ openTime }) => openTime === read);
      const next = Math.max(0, Math.min(order.length - 1, (at === -1 ? order.length : at) + by));
      const candle = order[next];
      read = candle.openTime;
      chart.setCrosshairPosition(Number(candle.close), candle.openTime / 1000, prices);
      return candle;
    },
    stopReading() {
      read = undefined;
      chart.clearCrosshairPosition();
    },
    newest: () => order.at(-1),
    candles: () => order,
  };
}
