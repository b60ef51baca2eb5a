/**
 * Makes panels: one function a kind, each with a unit, a description and a word for the empty state.
 * It must set only what Grafana's types know; where a panel stands is decided in `dashboard.ts`.
 */
import type { AnyPanel, PanelKind } from './grafana-types.ts';
import type { Query } from './query.ts';

/** A panel with its questions and its size. Units: width in 24ths of the page, height in rows. */
export type Part = {
  readonly panel: AnyPanel;
  readonly queries: readonly Query[];
  readonly size: readonly [number, number];
};

/** What every panel says. Shape: `empty` is shown where there is nothing; `unit` is one of Grafana's. */
export type Words = {
  title: string;
  description: string;
  unit: string;
  empty: string;
  size: readonly [number, number];
  decimals?: number;
  min?: number;
  max?: number;
};

type Steps = readonly (readonly [number | null, string])[];
type Override = NonNullable<AnyPanel['fieldConfig']['overrides']>[number];

const LEGEND = { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] as string[] } as const;
const TOOLTIP = { mode: 'multi', sort: 'desc' } as const;
const LAST = { calcs: ['lastNotNull'], fields: '', values: false };

/** Green below zero thresholds and so on: the first step begins at minus infinity. */
function thresholdsOf(steps: Steps) {
  return { mode: 'absolute' as const, steps: steps.map(([value, color]) => ({ value, color })) };
}

function defaultsOf({ unit, empty, decimals, min, max }: Words, steps?: Steps) {
  return {
    unit,
    noValue: empty,
    ...(decimals === undefined ? {} : { decimals }),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(steps === undefined ? {} : { thresholds: thresholdsOf(steps) }),
  };
}

function headOf({ title, description }: Words) {
  return { title, description };
}

/** Lines over time. Shape: `look` bars for counts per interval; `colors` by a series' name. */
export function lines(
  words: Words,
  queries: readonly Query[],
  options: { look?: 'line' | 'bars'; stack?: boolean; steps?: Steps; colors?: Readonly<Record<string, string>> } = {},
): Part {
  const isBars = options.look === 'bars';
  const panel: PanelKind<'timeseries'> = {
    ...headOf(words),
    type: 'timeseries',
    options: { legend: { ...LEGEND }, tooltip: { ...TOOLTIP } },
    fieldConfig: {
      defaults: {
        ...defaultsOf(words, options.steps),
        custom: {
          drawStyle: isBars ? 'bars' : 'line',
          lineWidth: 1,
          fillOpacity: isBars ? 70 : 8,
          showPoints: 'never',
          spanNulls: false,
          ...(options.stack ? { stacking: { mode: 'normal', group: 'A' } } : {}),
          ...(options.steps === undefined ? {} : { thresholdsStyle: { mode: 'dashed' } }),
        },
      },
      overrides: Object.entries(options.colors ?? {}).map(([name, color]) => colored(name, color)),
    },
  };
  return { panel, queries, size: words.size };
}

/** One number, or one a series. Shape: `texts` maps values to words and colours. */
export function figure(
  words: Words,
  queries: readonly Query[],
  options: { steps?: Steps; texts?: Readonly<Record<string, readonly [string, string]>>; fields?: string } = {},
): Part {
  const mappings = Object.entries(options.texts ?? {}).map(([value, [text, color]], index) => ({
    type: 'value' as const,
    options: { [value]: { text, color, index } },
  }));
  const panel: PanelKind<'stat'> = {
    ...headOf(words),
    type: 'stat',
    options: {
      ...{ colorMode: 'value', graphMode: 'none', justifyMode: 'auto', textMode: 'auto', orientation: 'auto' },
      ...{ wideLayout: true, showPercentChange: false, percentChangeColorMode: 'standard' },
      reduceOptions: { ...LAST, fields: options.fields ?? '' },
    },
    fieldConfig: {
      defaults: {
        ...defaultsOf(words, options.steps ?? [[null, 'text']]),
        ...(mappings.length > 0 ? { mappings } : {}),
      },
      overrides: [],
    },
  };
  return { panel, queries, size: words.size };
}

/** Bars side by side, one a series or a row. */
export function bars(words: Words, queries: readonly Query[], options: { steps?: Steps; rows?: boolean } = {}): Part {
  const panel: PanelKind<'bargauge'> = {
    ...headOf(words),
    type: 'bargauge',
    options: {
      ...{ displayMode: 'basic', orientation: 'horizontal', valueMode: 'color', namePlacement: 'auto', sizing: 'auto' },
      ...{ showUnfilled: true, minVizWidth: 8, minVizHeight: 16, maxVizHeight: 60 },
      legend: { ...LEGEND, showLegend: false },
      reduceOptions: { ...LAST, values: options.rows ?? false },
    },
    fieldConfig: { defaults: defaultsOf(words, options.steps ?? [[null, 'blue']]), overrides: [] },
  };
  return { panel, queries, size: words.size };
}

/** Rows and columns. Shape: `units` by a column's name; `texts` colours words of a column. */
export function table(
  words: Words,
  queries: readonly Query[],
  options: {
    units?: Readonly<Record<string, string>>;
    widths?: Readonly<Record<string, number>>;
    hidden?: readonly string[];
  } = {},
): Part {
  const overrides: Override[] = [
    ...Object.entries(options.units ?? {}).map(([name, unit]) => override(name, 'unit', unit)),
    ...Object.entries(options.widths ?? {}).map(([name, width]) => override(name, 'custom.width', width)),
    ...(options.hidden ?? []).map((name) => override(name, 'custom.hidden', true)),
  ];
  const panel: PanelKind<'table'> = {
    ...headOf(words),
    type: 'table',
    options: { frameIndex: 0, showHeader: true, cellHeight: 'sm' },
    fieldConfig: {
      defaults: { ...defaultsOf(words), custom: { align: 'auto', inspect: false, cellOptions: { type: 'auto' } } },
      overrides,
    },
  };
  return { panel, queries, size: words.size };
}

/** States over time, a band a column. Shape: `texts` maps values to words and colours. */
export function states(
  words: Words,
  queries: readonly Query[],
  texts: Readonly<Record<string, readonly [string, string]>>,
): Part {
  const panel: PanelKind<'state-timeline'> = {
    ...headOf(words),
    type: 'state-timeline',
    options: {
      ...{ showValue: 'never', mergeValues: true, alignValue: 'left', rowHeight: 0.8 },
      legend: { ...LEGEND },
      tooltip: { mode: 'single', sort: 'none' },
    },
    fieldConfig: {
      defaults: {
        ...defaultsOf(words),
        custom: { fillOpacity: 80, lineWidth: 0 },
        mappings: Object.entries(texts).map(([value, [text, color]], index) => ({
          type: 'value' as const,
          options: { [value]: { text, color, index } },
        })),
      },
      overrides: [],
    },
  };
  return { panel, queries, size: words.size };
}

/** Candles with their volume. Shape: the answer has time, open, high, low, close, volume. */
export function candlesticks(words: Words, queries: readonly Query[]): Part {
  const panel: PanelKind<'candlestick'> = {
    ...headOf(words),
    type: 'candlestick',
    options: {
      ...{ mode: 'candles+volume', candleStyle: 'candles', colorStrategy: 'open-close', includeAllFields: false },
      colors: { up: 'green', down: 'red', flat: 'gray' },
      fields: { open: 'open', high: 'high', low: 'low', close: 'close', volume: 'volume' },
      legend: { ...LEGEND },
      tooltip: { ...TOOLTIP, sort: 'none' },
    },
    fieldConfig: { defaults: defaultsOf(words), overrides: [override('volume', 'unit', 'short')] },
  };
  return { panel, queries, size: words.size };
}

/** Log lines, newest first. */
export function logs(words: Words, queries: readonly Query[]): Part {
  const panel: PanelKind<'logs'> = {
    ...headOf(words),
    type: 'logs',
    options: {
      ...{ showTime: true, showLabels: false, showCommonLabels: false, showLogContextToggle: true },
      ...{ wrapLogMessage: true, prettifyLogMessage: false, enableLogDetails: true },
      ...{ dedupStrategy: 'none', sortOrder: 'Descending' },
    },
    fieldConfig: { defaults: defaultsOf(words), overrides: [] },
  };
  return { panel, queries, size: words.size };
}

function override(name: string, id: string, value: unknown): Override {
  return { matcher: { id: 'byName', options: name }, properties: [{ id, value }] };
}

function colored(name: string, color: string): Override {
  return override(name, 'color', { mode: 'fixed', fixedColor: color });
}
