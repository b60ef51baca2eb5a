/**
 * The page's chart: candles and volume of one series, in the colours of the page.
 * It must not fetch anything. Numbers become floating point here only to be drawn; texts are shown as they came.
 */
const { createChart, CandlestickSeries, HistogramSeries, ColorType, CrosshairMode } = window.LightweightCharts;

/** Creates the chart in an element. `onHover` is given the candle under the pointer, or undefined. */
export function createCandleChart(element, onHover) {
  const chart = createChart(element, { autoSize: true, crosshair: { mode: CrosshairMode.Normal } });
  const prices = chart.addSeries(CandlestickSeries, { borderVisible: false });
  const volumes = chart.addSeries(HistogramSeries, {
    priceScaleId: '',
    priceFormat: { type: 'volume' },
    lastValueVisible: false,
    priceLineVisible: false,
  });
  volumes.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
  prices.priceScale().applyOptions({ scaleMargins: { top: 0.12, bottom: 0.22 } });
  const byTime = new Map();
  let colours;

  const paint = () => {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    colours = { up: of('--up'), down: of('--down') };
    chart.applyOptions({
      layout: {
        background: { type: ColorType.Solid, color: of('--card') },
        textColor: of('--quiet'),
        attributionLogo: true,
      },
      grid: { vertLines: { color: of('--line') }, horzLines: { color: of('--line') } },
      rightPriceScale: { borderColor: of('--line') },
      timeScale: { borderColor: of('--line'), timeVisible: true, rightOffset: 4 },
    });
    prices.applyOptions({
      upColor: colours.up,
      downColor: colours.down,
      wickUpColor: colours.up,
      wickDownColor: colours.down,
    });
  };
  matchMedia('(prefers-color-scheme: light)').addEventListener('change', () => {
    paint();
    draw();
  });

  const priceOf = (candle) => ({
    time: candle.openTime / 1000,
    open: Number(candle.open),
    high: Number(candle.high),
    low: Number(candle.low),
    close: Number(candle.close),
  });
  const volumeOf = (candle) => ({
    time: candle.openTime / 1000,
    value: Number(candle.volume),
    color: `${Number(candle.close) >= Number(candle.open) ? colours.up : colours.down}66`,
  });
  const sorted = () => [...byTime.values()].sort((a, b) => a.openTime - b.openTime);
  const draw = () => {
    const candles = sorted();
    const digits = Math.max(0, ...candles.slice(-50).map(({ close }) => (close.split('.')[1] ?? '').length));
    prices.applyOptions({ priceFormat: { type: 'price', precision: digits, minMove: 1 / 10 ** digits } });
    prices.setData(candles.map(priceOf));
    volumes.setData(candles.map(volumeOf));
  };

  paint();
  chart.subscribeCrosshairMove(({ time }) => onHover(time === undefined ? undefined : byTime.get(time * 1000)));
  return {
    /** Shows these candles alone. */
    replace(candles) {
      byTime.clear();
      for (const candle of candles) byTime.set(candle.openTime, candle);
      draw();
      chart.timeScale().scrollToRealTime();
    },
    /** Takes changed candles; those before the newest drawn one redraw the chart. */
    merge(candles) {
      const newest = Math.max(0, ...byTime.keys());
      for (const candle of candles) byTime.set(candle.openTime, candle);
      const isAppend = candles.every((candle) => candle.openTime >= newest);
      if (!isAppend) return draw();
      for (const candle of candles) {
        prices.update(priceOf(candle));
        volumes.update(volumeOf(candle));
      }
    },
    newest: () => sorted().at(-1),
  };
}
