/** Tests of the stream codec. They must cover every kind of line. */
import { describe, expect, it } from 'vitest';
import {
  decodeEntry,
  ENTRY_VERSION,
  ENTRY_VERSION_OLDEST,
  EntryFormatError,
  type EntryHeader,
  type EntryItem,
  encodeHeader,
  encodeItem,
} from '../src/entry-codec.ts';

const HEADER: EntryHeader = {
  origin: 'live',
  venue: 'binance',
  producer: 'ingest-1',
  boot: 1_763_000_000_000,
  n: 7,
  before: { trade: 100, quote: 400, ticker: 3, quarantined: 1 },
  clockUs: 1_763_000_000_123_456,
};

const ITEMS: EntryItem[] = [
  {
    kind: 'trade',
    symbol: 'BTCUSDT',
    id: 1,
    lastId: 3,
    tsUs: 1_763_000_000_000_000,
    price: '61837.63',
    quantity: '0.02',
    buyerMaker: true,
    receivedAtUs: 5,
  },
  {
    kind: 'quote',
    symbol: '这是测试币456',
    id: 9,
    tsUs: 4,
    bid: '1',
    bidQuantity: '2',
    ask: '3',
    askQuantity: '4',
    receivedAtUs: 5,
  },
  {
    kind: 'ticker',
    symbol: 'BTCUSDT',
    window: '1d',
    tsUs: 4,
    priceChange: '-1.5',
    priceChangePercent: '-0.1',
    weightedAverage: '2',
    lastPrice: '3',
    lastQuantity: '',
    openPrice: '4',
    highPrice: '5',
    lowPrice: '1',
    volume: '100',
    quoteVolume: '200',
    totalTrades: 12,
    receivedAtUs: 6,
  },
  {
    kind: 'quarantined',
    symbol: '',
    channel: 'unknown',
    reason: 'malformed_frame',
    id: null,
    lastId: null,
    count: 4,
    receivedAtUs: 7,
    sample: 'a,"b"\n\u2028{',
  },
  {
    kind: 'quarantined',
    symbol: 'BTCUSDT',
    channel: 'trade',
    reason: 'null_trade',
    id: 4,
    lastId: 5,
    count: 1,
    receivedAtUs: 7,
    sample: '',
  },
  { kind: 'control', control: { kind: 'head', symbol: 'BTCUSDT', id: 5, tsUs: 6 } },
];

describe('entry codec', () => {
  it('reads back what it wrote', () => {
    const entry = decodeEntry(encodeHeader(HEADER), ITEMS.map(encodeItem).join('\n'));
    expect(entry).toEqual({ header: HEADER, items: ITEMS });
  });

  it('reads until when the producer has heard its connections', () => {
    const header = { ...HEADER, heardUs: HEADER.clockUs - 20_000_000 };
    expect(decodeEntry(encodeHeader(header), '').header).toEqual(header);
  });

  it('reads what the version before wrote', () => {
    const old = encodeHeader(HEADER).replace(/^\d+/, String(ENTRY_VERSION_OLDEST));
    expect(decodeEntry(old, '').header).toEqual(HEADER);
  });

  it('reads an entry of a clock alone', () => {
    expect(decodeEntry(encodeHeader(HEADER), '').items).toEqual([]);
  });

  it.each([
    [`${ENTRY_VERSION + 1},live,b,p,1,1,0,0,0,0,1`, ''],
    ['1,live,b,p,1,1,0,0,0,0', ''],
    ['1,live,b,p,1,1,0,0,0,0,2,1', ''],
    ['2,live,b,p,1,1,0,0,0,0,2,1,0', ''],
    ['2,live,b,p,1,1,0,0,0,0,2,x', ''],
    ['1,other,b,p,1,1,0,0,0,0,1', ''],
    ['1,live,b,p,1,x,0,0,0,0,1', ''],
    [encodeHeader(HEADER), 'z,1'],
    [encodeHeader(HEADER), 't,BTCUSDT,1'],
  ])('refuses %s with %j', (h, d) => {
    expect(() => decodeEntry(h, d)).toThrow(EntryFormatError);
  });
});
