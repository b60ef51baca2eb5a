/**
 * Grafana's own types of dashboards and panels, in the form in which they stand in a JSON file.
 * It must hold types only; panels are made in `panel.ts`.
 */
import type { Dashboard, FieldConfigSource, Panel, RowPanel, VariableModel } from '@grafana/schema';
import type { Options as BarGaugeOptions } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type {
  FieldConfig as CandlestickFields,
  Options as CandlestickOptions,
} from '@grafana/schema/dist/esm/raw/composable/candlestick/panelcfg/x/CandlestickPanelCfg_types.gen';
import type { Options as LogsOptions } from '@grafana/schema/dist/esm/raw/composable/logs/panelcfg/x/LogsPanelCfg_types.gen';
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type {
  FieldConfig as StateFields,
  Options as StateOptions,
} from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type {
  FieldConfig as TableFields,
  Options as TableOptions,
} from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type {
  FieldConfig as SeriesFields,
  Options as SeriesOptions,
} from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

/** A type of Grafana's as JSON has it: enums are their texts. */
export type Plain<T> = T extends string
  ? `${T}`
  : T extends readonly (infer Item)[]
    ? Plain<Item>[]
    : T extends object
      ? { [Key in keyof T]: Plain<T[Key]> }
      : T;

type PanelOf<Name extends string, Options, Fields> = Omit<
  Plain<Panel>,
  'type' | 'options' | 'fieldConfig' | 'id' | 'gridPos'
> & {
  type: Name;
  title: string;
  description: string;
  options: Plain<Options>;
  fieldConfig: Plain<FieldConfigSource<Partial<Fields>>>;
};

/** The kinds of panels that these dashboards use, without their place. */
export type AnyPanel =
  | PanelOf<'timeseries', SeriesOptions, SeriesFields>
  | PanelOf<'stat', StatOptions, Record<string, never>>
  | PanelOf<'bargauge', BarGaugeOptions, Record<string, never>>
  | PanelOf<'table', TableOptions, TableFields>
  | PanelOf<'state-timeline', StateOptions, StateFields>
  | PanelOf<'candlestick', CandlestickOptions, CandlestickFields>
  | PanelOf<'logs', LogsOptions, Record<string, never>>;

/** The panel of one kind. */
export type PanelKind<Name extends AnyPanel['type']> = Extract<AnyPanel, { type: Name }>;

/** A dashboard's file. */
export type DashboardFile = Plain<Dashboard>;

/** A row that heads the panels below it. */
export type RowFile = Plain<RowPanel>;

/** A variable that the reader chooses. */
export type VariableFile = Plain<VariableModel>;
