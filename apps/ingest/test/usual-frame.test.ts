/**
 * The short way to read a usual frame gives what the long way gives, for whole frames and for each way to spoil one character.
 * It must compare through the adapter, so that whatever decides between the two ways is tested with them.
 */
import { expect, it } from 'vitest';
import type { FrameContext } from '../src/venue.ts';
import { binance } from '../src/venues/binance.ts';

const NOW_MS = 1_672_515_782_136;
const NOW_US = NOW_MS * 1000;
const context: FrameContext = {
  streams: new Map([
    ['bnbbtc@trade', { symbol: 'BNBBTC', channel: 'trade' }],
    ['bnbbtc@bookTicker', { symbol: 'BNBBTC', channel: 'bookTicker' }],
  ]),
  ...{ receivedAtUs: NOW_US, nowUs: NOW_US, stampUs: NOW_US },
};
const TRADE = `{"stream":"bnbbtc@trade","data":{"e":"trade","E":${NOW_MS},"s":"BNBBTC","t":12345,"p":"0.00100000","q":"100","T":${NOW_MS},"m":true,"M":true}}`;
const QUOTE =
  '{"stream":"bnbbtc@bookTicker","data":{"u":400900217,"s":"BNBBTC","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}}';
const REPLAYED = TRADE.replace(/}$/, ',"receivedAtNs":1672515782136000001}');
const SPOILERS = ['', '0', '-', '9', '"', '\\', '\n', '{', '}', ',', ' ', 'x', '\u0001', 'é'];

/** What the adapter makes of a frame, without the sample of a refused one, which holds the frame as it came. */
function meaningOf(text: string): unknown {
  const parsed = binance.parseFrame(text, context);
  return parsed.kind === 'quarantined' ? { ...parsed, sample: '' } : parsed;
}

it.each([TRADE, QUOTE, REPLAYED])('reads %s', (text) => {
  expect(['trade', 'quote']).toContain((meaningOf(text) as { kind: string }).kind);
  // A blank at the end means nothing in JSON, and leads the long way.
  expect(meaningOf(text)).toEqual(meaningOf(`${text} `));
});

it.each([TRADE, QUOTE, REPLAYED])('is not misled by one spoiled character of %s', (text) => {
  for (let i = 0; i < text.length; i++) {
    for (const spoiler of SPOILERS) {
      for (const rest of [i, i + 1]) {
        const spoiled = text.slice(0, i) + spoiler + text.slice(rest);
        const [short, long] = [meaningOf(spoiled), meaningOf(`${spoiled} `)];
        if (JSON.stringify(short) !== JSON.stringify(long))
          expect({ spoiled, parsed: short }).toEqual({ spoiled, parsed: long });
      }
    }
  }
});
