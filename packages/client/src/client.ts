/**
 * A client of the api: REST and the stream of candles, for browsers and Node.
 * It must not depend on anything, and never turns decimal texts into numbers.
 */
import type {
  CandlesAnswer,
  CandlesQuestion,
  CoverageAnswer,
  QuotesPage,
  StatusAnswer,
  SymbolsAnswer,
  TickersPage,
  TickersQuestion,
  TicksQuestion,
  Trade,
  TradesPage,
} from './answers.ts';
import type { SocketLike } from './connection.ts';
import { followCandles } from './follow.ts';
import { type CallOptions, createRest } from './rest.ts';
import { createCandleStream, type StreamQuestion, type SubscriptionEvents } from './stream.ts';
import { isPassing, WickError } from './wick-error.ts';

/**
 * How a client is made. Shape: `url` is that of the api, in a page by default its own; `fetch` and `connect` replace what the runtime has.
 * Units: `timeoutMs` ms a try, by default 10,000. Limits: `retries` of questions that may pass, by default 2.
 */
export type ClientOptions = {
  readonly url?: string | undefined;
  readonly apiKey?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly retries?: number | undefined;
  readonly fetch?: typeof fetch | undefined;
  readonly connect?: ((url: string, apiKey: string | undefined) => SocketLike) | undefined;
};

/** A client. */
export type WickClient = ReturnType<typeof createClient>;

/** Creates a client; nothing is asked before the first call. Errors: WickError, of every call. */
export function createClient(options: ClientOptions = {}) {
  const url = baseOf(options.url);
  const { apiKey, timeoutMs = 10_000, retries = 2, connect = openSocket } = options;
  const rest = createRest({ url, apiKey, timeoutMs, retries, fetch: options.fetch ?? ((...call) => fetch(...call)) });
  const stream = createCandleStream({
    connect: () => connect(streamUrl(url), apiKey),
    probe: () => rest.get('v1/stream', {}).then(() => undefined, refusalOf),
  });
  const trades = (question: TicksQuestion, call?: CallOptions) => rest.get<TradesPage>('v1/trades', question, call);

  return {
    /** Candles of one symbol. Order: oldest first. */
    candles: (question: CandlesQuestion, call?: CallOptions) => rest.get<CandlesAnswer>('v1/candles', question, call),
    /** Candles of several symbols in one call. Order: as asked. Limits: 20 symbols. */
    async candlesOf(
      symbols: readonly string[],
      question: Omit<CandlesQuestion, 'symbol'>,
      call?: CallOptions,
    ): Promise<readonly CandlesAnswer[]> {
      // The comma says that a list is wanted, of one symbol too.
      const asked = { ...question, symbol: `${symbols.join(',')},` };
      return (await rest.get<{ results: readonly CandlesAnswer[] }>('v1/candles', asked, call)).results;
    },
    /** A page of trades. Order: oldest first. */
    trades,
    /** Every trade from `from` to `to`, page after page. Order: oldest first. */
    async *everyTrade(
      question: TicksQuestion & { from: number },
      call?: CallOptions,
    ): AsyncGenerator<Trade, void, void> {
      const { from, ...others } = question;
      let place: { from?: number; cursor?: string } = { from };
      for (;;) {
        const page = await trades({ limit: 1000, ...others, ...place }, call);
        yield* page.trades;
        if (page.next === null) return;
        place = { cursor: page.next };
      }
    },
    /** A page of best quotes. Order: oldest first. */
    quotes: (question: TicksQuestion, call?: CallOptions) => rest.get<QuotesPage>('v1/quotes', question, call),
    /** A page of rolling-window tickers. Order: oldest first. */
    tickers: (question: TickersQuestion, call?: CallOptions) => rest.get<TickersPage>('v1/tickers', question, call),
    /** What is recorded. */
    symbols: (call?: CallOptions) => rest.get<SymbolsAnswer>('v1/symbols', {}, call),
    /** What is stored of a symbol, and what is missing. */
    coverage: (question: { readonly symbol: string; readonly venue?: string | undefined }, call?: CallOptions) =>
      rest.get<CoverageAnswer>('v1/coverage', question, call),
    /** How the whole is. */
    status: (call?: CallOptions) => rest.get<StatusAnswer>('v1/status', {}, call),
    /** Lets the feed flow; needs a key where keys are set. */
    startFeed: (call?: CallOptions) => rest.post<Record<string, unknown>>('v1/feed/start', call),
    /** Holds the feed; needs a key where keys are set. */
    stopFeed: (call?: CallOptions) => rest.post<Record<string, unknown>>('v1/feed/stop', call),
    /** Subscribes to candles as they change, with calls back. */
    subscribe: (question: StreamQuestion, events: SubscriptionEvents) => stream.candles(question, events),
    /** Subscribes to candles as they change, as a loop: `for await (const { changed } of client.follow(…))`. */
    follow: (question: StreamQuestion, call: CallOptions = {}) =>
      followCandles(stream, question, isPassing, call.signal),
    /** Connects the stream at once, when it is waiting to connect again. */
    hurry: () => stream.hurry(),
    /** Ends every subscription and its connection. */
    close: () => stream.close(),
  };
}

function baseOf(text: string | undefined): URL {
  const page = (globalThis as { location?: { href: string } }).location?.href;
  const given = text ?? (page === undefined ? undefined : new URL('/', page).href);
  if (given === undefined || !URL.canParse(given)) {
    throw new WickError('invalid_parameter', 'url must be that of the api, for example http://127.0.0.1:8080', {
      param: 'url',
    });
  }
  const url = new URL(given);
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

function streamUrl(base: URL): string {
  const url = new URL('v1/stream', base);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

// A page cannot set a header of an upgrade, but it can offer subprotocols; the api chooses the first and answers no key.
function openSocket(url: string, apiKey: string | undefined): SocketLike {
  const Socket = WebSocket as unknown as new (url: string, protocols: readonly string[]) => SocketLike;
  return new Socket(url, apiKey === undefined ? [] : ['wick.v1', `wick.key.${base64Url(apiKey)}`]);
}

function base64Url(text: string): string {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

// The call is answered with upgrade_required when nothing but the upgrade is missing.
function refusalOf(error: unknown): WickError | undefined {
  const refused = error instanceof WickError && (error.status === 401 || error.status === 403);
  return refused ? error : undefined;
}
