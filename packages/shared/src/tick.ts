/**
 * The normalised events that travel from ingest to the database, one type per channel.
 * It must hold types and bounds only, no behaviour of any app.
 */

/** What a tick is: a trade, a best quote or a ticker. */
export type ChannelKind = 'trade' | 'quote' | 'ticker';

/** The kinds in the order in which counts are written everywhere. */
export const CHANNEL_KINDS: readonly ChannelKind[] = ['trade', 'quote', 'ticker'];

/**
 * One trade, or one aggregate of the trades `id`…`lastId` (both equal for a single trade).
 * Units: times in µs since the epoch; price and quantity canonical decimals, positive.
 */
export type Trade = {
  readonly kind: 'trade';
  readonly symbol: string;
  readonly id: number;
  readonly lastId: number;
  readonly tsUs: number;
  readonly price: string;
  readonly quantity: string;
  readonly buyerMaker: boolean;
  readonly receivedAtUs: number;
};

/** One best bid and ask. Units: as in Trade; `id` is the venue's update id; `tsUs` is the receive time where the venue sends none. */
export type Quote = {
  readonly kind: 'quote';
  readonly symbol: string;
  readonly id: number;
  readonly tsUs: number;
  readonly bid: string;
  readonly bidQuantity: string;
  readonly ask: string;
  readonly askQuantity: string;
  readonly receivedAtUs: number;
};

/** The window of a ticker that is kept. */
export type TickerWindow = '1h' | '1d';

/** One rolling-window ticker. Units: as in Trade; `priceChange` may be negative; `lastQuantity` is empty where the venue sends none. */
export type Ticker = {
  readonly kind: 'ticker';
  readonly symbol: string;
  readonly window: TickerWindow;
  readonly tsUs: number;
  readonly priceChange: string;
  readonly priceChangePercent: string;
  readonly weightedAverage: string;
  readonly lastPrice: string;
  readonly lastQuantity: string;
  readonly openPrice: string;
  readonly highPrice: string;
  readonly lowPrice: string;
  readonly volume: string;
  readonly quoteVolume: string;
  readonly totalTrades: number;
  readonly receivedAtUs: number;
};

/** One normalised event. */
export type Tick = Trade | Quote | Ticker;

/** Why an input was refused. Order: alphabetical. */
export const QUARANTINE_REASONS = [
  'below_retention',
  'conflicting_trade',
  'crossed_quote',
  'decimal_expected',
  'frame_too_large',
  'future_time',
  'gap_too_large',
  'id_out_of_range',
  'late_quote',
  'malformed_frame',
  'missing_field',
  'not_positive',
  'null_trade',
  'off_market',
  'rejected_by_database',
  'time_out_of_bounds',
  'too_many_gaps',
  'unknown_stream',
  'unknown_symbol',
  'wrong_type',
] as const;

/** One of QUARANTINE_REASONS. */
export type QuarantineReason = (typeof QUARANTINE_REASONS)[number];

/** Longest sample of a refused input that is kept. Units: UTF-16 code units. */
export const SAMPLE_LENGTH_MAX = 512;

/**
 * `count` refused inputs of one reason with the first of them as a sample.
 * `id`…`lastId` are the trade ids that the input named, when it named them: the ledger then knows they came. `symbol` is empty when unknown.
 */
export type Quarantined = {
  readonly kind: 'quarantined';
  readonly symbol: string;
  readonly channel: ChannelKind | 'unknown';
  readonly reason: QuarantineReason;
  readonly id: number | null;
  readonly lastId: number | null;
  readonly count: number;
  readonly receivedAtUs: number;
  readonly sample: string;
};
