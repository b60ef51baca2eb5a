/**
 * What the simulated exchange saw of its clients and did to them, as it tells.
 * It must only read.
 */
import type { FaultMarket } from './fault-market.ts';

/** The exchange's own account. Units: `messagesPerSMax` the most within a second; times ms since the epoch. */
export type ExchangeView = {
  readonly connections: { readonly opened: number; readonly refused: number; readonly dropped: number };
  readonly clients: readonly {
    readonly streams: number;
    readonly messagesPerSMax: number;
    readonly pongs: number;
    readonly strayPongs: number;
  }[];
  readonly attemptsAtMs: readonly number[];
  readonly records: readonly { readonly fault: string; readonly stream: string; readonly id: number }[];
};

/** Asks the exchange. */
export async function viewExchange(market: Pick<FaultMarket, 'app'>): Promise<ExchangeView> {
  return (await (await fetch(`${market.app('exchange').baseUrl}/exchange/faults`)).json()) as ExchangeView;
}
