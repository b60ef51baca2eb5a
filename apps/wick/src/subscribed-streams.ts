/**
 * Names the venue's streams that a set of symbols and channels stands for, as the venue writes them.
 * It must be pure and must only be used for showing them.
 */

/** Returns `btcusdt@trade` and so on. Order: by symbol, then by channel. */
export function subscribedStreams(symbols: readonly string[], channels: readonly string[]): string[] {
  return symbols.flatMap((symbol) =>
    channels.map((channel) => `${symbol.toLowerCase()}@${channel === 'ticker_1d' ? 'ticker' : channel}`),
  );
}
