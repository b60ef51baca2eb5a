/**
 * Lines of recordings: each time unit, each kind of line, each CSV form.
 * It must not read files.
 */
import { describe, expect, it } from 'vitest';
import { parseCsvLine, parseFrameLine, payloadInUs, tickOf, timeNsOf } from '../src/recorded-frame.ts';

const DATA =
  '{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":1,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}';
const JSON_TEXT = `{"stream":"btcusdt@trade","data":${DATA}}`;

describe('frame lines', () => {
  it.each([
    ['1723161254087891268', '1723161254087891268'],
    ['1723161254087891', '1723161254087891000'],
    ['1723161254087', '1723161254087000000'],
    ['1723161254', '1723161254000000000'],
    ['1617566592.6292129:', '1617566592629212900'],
    ['1723161254087.25', '1723161254087250000'],
  ])('reads the receive time %s', (time, timeNs) => {
    expect(parseFrameLine(`${time} ${JSON_TEXT}`)).toEqual({ timeNs, stream: 'btcusdt@trade', payload: DATA });
  });

  it('keeps the recorded bytes, also of its own recordings and odd spacing', () => {
    const odd = '{ "u":1,"s":"X" }';
    expect(parseFrameLine(`1723161254 {"stream":"x@bookTicker","data":${odd}}`)).toMatchObject({ payload: odd });
    expect(
      parseFrameLine(`1723161254 {"stream":"btcusdt@trade","data":${DATA},"receivedAtNs":1723161254000000000}`),
    ).toMatchObject({ payload: DATA });
    expect(parseFrameLine(`1723161254 ${DATA}`)).toMatchObject({ stream: 'btcusdt@trade', payload: DATA });
    expect(parseFrameLine('1723161254 {"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}')).toMatchObject({
      stream: 'btcusdt@bookTicker',
    });
  });

  it('tells other lines from broken ones', () => {
    expect(parseFrameLine('wss://stream.binance.com:9443/stream?streams=x <-> 1617566590.378895')).toBe('other');
    expect(parseFrameLine('https://www.binance.com/api/v1/depth -> 1617566592.1065369: {"lastUpdateId":1}')).toBe(
      'other',
    );
    expect(parseFrameLine('1723161254206652067 {"lastUpdateId":50093239218,"bids":[]}')).toBe('other');
    expect(parseFrameLine(`1723161254 ${JSON_TEXT.slice(0, -9)}`)).toBe('bad');
    expect(parseFrameLine('1723161254 hello')).toBe('bad');
    expect(parseFrameLine('1723161254 {"e":"tra')).toBe('bad');
    expect(tickOf({ timeNs: timeNsOf('1723161254'), stream: 'x@trade', payload: '{"e":}' })).toBe('bad');
    expect(tickOf({ timeNs: timeNsOf('1723161254'), stream: 'x@depth', payload: '{"e":}' })).toBeUndefined();
  });
});

describe('CSV rows', () => {
  const trade = { id: 7, price: 141_342, quantity: 2_300_000_000, timeUs: 1_570_752_011_620_000, buyerMaker: true };

  it('reads trades and aggTrades, of spot and futures, in ms and µs', () => {
    for (const row of [
      '7,0.00141342,23.0,0.03250866,1570752011620,True,True',
      '7,0.00141342,23.00000000,0.03250866,1570752011620,true',
    ]) {
      const frame = parseCsvLine(row, 'XRPETH');
      if (typeof frame === 'string') throw new Error(frame);
      expect(frame.stream).toBe('xrpeth@trade');
      expect(frame.timeNs).toBe('1570752011620000000');
      expect(tickOf(frame)).toEqual({ kind: 'trade', symbol: 'XRPETH', trade });
    }
    for (const tail of ['true,true', 'true']) {
      const frame = parseCsvLine(`7,0.00141342,23.0,100,105,1570752011620123,${tail}`, 'XRPETH');
      if (typeof frame === 'string') throw new Error(frame);
      const aggregate = { ...trade, timeUs: 1_570_752_011_620_123, firstId: 100, lastId: 105 };
      expect(tickOf(frame)).toEqual({ kind: 'aggTrade', symbol: 'XRPETH', aggregate });
      expect(JSON.parse(frame.payload)).toMatchObject({ T: 1_570_752_011_620, p: '0.00141342', q: '23.0' });
      expect(JSON.parse(payloadInUs(frame))).toMatchObject({ T: 1_570_752_011_620_123 });
    }
  });

  it('tells headers from broken rows', () => {
    expect(
      parseCsvLine('agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker', 'X'),
    ).toBe('other');
    expect(parseCsvLine('7,0.0014', 'X')).toBe('bad');
    expect(parseCsvLine('7,x,1,100,105,1570752011620,true', 'X')).toBe('bad');
  });
});
