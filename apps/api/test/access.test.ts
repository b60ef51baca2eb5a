/**
 * Holds the parts of the door on their own: addresses behind proxies, rates, origins, and what an entry of API_KEYS says.
 * It must need no server.
 */
import { createApiKeys, makeKey, readKeyEntry } from '@wickstream/shared/api-keys';
import { describe, expect, test } from 'vitest';
import { addressGroup, createAddressReader } from '../src/client-address.ts';
import { createOriginCheck } from '../src/origin-check.ts';
import { BURST_S, CLIENTS_MAX, createRateLimit } from '../src/rate-limit.ts';

const from = (remoteAddress: string, forwarded?: string) =>
  ({ socket: { remoteAddress }, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } }) as never;

describe('the address of a client', () => {
  test.each([
    ['nobody is trusted', [], '10.0.0.1', '1.2.3.4', '10.0.0.1'],
    ['a trusted proxy tells', ['10.0.0.0/8'], '10.0.0.1', '1.2.3.4', '1.2.3.4'],
    ['a stranger tells', ['10.0.0.0/8'], '9.9.9.9', '1.2.3.4', '9.9.9.9'],
    ['the client lies to the proxy', ['10.0.0.0/8'], '10.0.0.1', '127.0.0.1, 1.2.3.4', '1.2.3.4'],
    ['two proxies of ours', ['10.0.0.0/8', '192.168.0.7'], '10.0.0.1', '6.6.6.6, 1.2.3.4, 192.168.0.7', '1.2.3.4'],
    ['a proxy beside ours', ['10.0.0.1'], '10.0.0.2', '1.2.3.4', '10.0.0.2'],
    ['what is told is no address', ['10.0.0.1'], '10.0.0.1', 'unknown', '10.0.0.1'],
    ['IPv4 inside IPv6', ['10.0.0.1'], '::ffff:10.0.0.1', '2001:db8::1', '2001:db8::1'],
    ['no header', ['10.0.0.1'], '10.0.0.1', undefined, '10.0.0.1'],
  ])('%s', (_, proxies, peer, forwarded, expected) => {
    expect(createAddressReader(proxies)(from(peer, forwarded))).toBe(expected);
  });

  test('a household of IPv6 counts as one', () => {
    expect(addressGroup('2001:db8:1:2::1')).toBe(addressGroup('2001:db8:1:2:3:4:5:6'));
    expect(addressGroup('2001:db8:1:2::1')).not.toBe(addressGroup('2001:db8:1:3::1'));
    expect(addressGroup('::1')).toBe('0:0:0:0::/64');
    expect(addressGroup('1.2.3.4')).toBe('1.2.3.4');
  });

  test.each(['somewhere', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/x', ''])(
    'TRUSTED_PROXIES "%s" is refused',
    (entry) => {
      expect(() => createAddressReader([entry])).toThrow('TRUSTED_PROXIES');
    },
  );
});

describe('rates', () => {
  test('a burst, then as much as time brings; clients do not share', () => {
    let nowMs = 0;
    const limit = createRateLimit(60, () => nowMs);
    for (let i = 0; i < BURST_S; i++) expect(limit.take('a')).toBeUndefined();
    expect(limit.take('a')).toBe(1);
    expect(limit.take('b')).toBeUndefined();
    nowMs += 1_000;
    expect([limit.take('a'), limit.take('a')]).toEqual([undefined, 1]);
    nowMs += 3_600_000;
    for (let i = 0; i < BURST_S; i++) expect(limit.take('a')).toBeUndefined();
    expect(limit.take('a', 20)).toBe(1);
  });

  test('remembers no more clients than it may, and zero is no limit', () => {
    const limit = createRateLimit(60, () => 0);
    for (let i = 0; i < CLIENTS_MAX + 500; i++) limit.take(`client ${i}`);
    expect(limit.clients()).toBe(CLIENTS_MAX);
    const none = createRateLimit(0, () => 0);
    for (let i = 0; i < 1_000; i++) expect(none.take('a')).toBeUndefined();
  });
});

describe('origins', () => {
  test.each([
    ['no browser', undefined, '127.0.0.1:8080', true],
    ['the page itself', 'http://127.0.0.1:8080', '127.0.0.1:8080', true],
    ['another port of this machine', 'http://localhost:3000', '127.0.0.1:8080', true],
    ['a listed one', 'https://charts.example.com', 'candles.example.com', true],
    ['a listed host without https', 'http://charts.example.com', 'candles.example.com', false],
    ['another', 'https://elsewhere.example', '127.0.0.1:8080', false],
    ['a name that was bound to this machine', 'http://rebound.example:8080', 'rebound.example:8080', false],
    ['a sandboxed page', 'null', '127.0.0.1:8080', false],
    ['nonsense', '://', '127.0.0.1:8080', false],
  ])('%s', (_, origin, host, expected) => {
    expect(createOriginCheck(['https://charts.example.com'], '127.0.0.1').isAllowed(origin, host)).toBe(expected);
  });

  test('an api for others knows its page by the host', () => {
    const open = createOriginCheck([], '0.0.0.0');
    expect(open.isAllowed('https://candles.example.com', 'candles.example.com')).toBe(true);
    expect(open.isAllowed('http://127.0.0.1:3000', '127.0.0.1:8080')).toBe(false);
  });

  test.each(['*', 'charts.example.com', 'https://charts.example.com/', 'ftp://x.example'])(
    '"%s" is no origin',
    (entry) => {
      expect(() => createOriginCheck([entry], '127.0.0.1')).toThrow('ALLOWED_ORIGINS');
    },
  );
});

describe('API_KEYS', () => {
  const made = makeKey('desk-1', 'read');
  const keys = createApiKeys([
    'plain-secret',
    made.entry,
    made.entry.replace('desk-1:read', 'old:revoked').replace(/.$/, (last) => (last === '0' ? '1' : '0')),
  ]);

  test('an entry tells the scope and never the key', () => {
    expect(made.entry).not.toContain(made.secret);
    expect(made.secret).toMatch(/^wick_[\w-]{43}$/);
    expect(makeKey('desk-1', 'read').secret).not.toBe(made.secret);
    expect(() => makeKey('two words', 'read')).toThrow('a name has');
    expect(() => makeKey('x:control', 'read')).toThrow('a name has');
  });

  test('good, unknown, absent and malformed ones', () => {
    expect(keys.judge('Bearer plain-secret')).toMatchObject({ state: 'good', scope: 'control' });
    expect(keys.judge(`bearer ${made.secret}`)).toEqual({ state: 'good', id: 'desk-1', scope: 'read' });
    expect(keys.judge(`Bearer ${made.entry}`)).toEqual({ state: 'unknown' });
    expect(keys.judge('Bearer plain-secre')).toEqual({ state: 'unknown' });
    expect(keys.judge(undefined)).toEqual({ state: 'absent' });
    for (const header of ['', 'plain-secret', 'Basic cGxhaW4=', 'Bearer', 'Bearer a b', `Bearer ${'x'.repeat(300)}`]) {
      expect(keys.judge(header)).toEqual({ state: 'malformed' });
    }
  });

  test('a digest that is mistyped is an error, not a plain key', () => {
    for (const entry of [
      'desk:read:sha256:abc',
      `desk:write:sha256:${'0'.repeat(64)}`,
      `:read:sha256:${'0'.repeat(64)}`,
    ]) {
      expect(() => readKeyEntry(entry)).toThrow('wick -- keys new');
    }
  });
});
