/**
 * Checks that feeds never mix.
 * It must not reach a server.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { databaseUrlOf, hashRecordings, placeOf } from '../src/feed-place.ts';

it('each feed has a database and a prefix of its own', () => {
  expect(placeOf('binance')).toEqual({ database: 'wickstream', prefix: '' });
  expect(placeOf('simulator')).toEqual({ database: 'wickstream_sim', prefix: 'sim:' });
  expect(placeOf('replay', 'ab12cd34')).toEqual({ database: 'wickstream_replay_ab12cd34', prefix: 'replay:ab12cd34:' });
});

it('a given URL keeps its server and user, and its database only for the live feed', () => {
  const given = 'postgres://me:p%40ss@db.example:6000/mine?sslmode=require';
  const simulated = databaseUrlOf(given, placeOf('simulator'), false);
  expect(simulated).toBe('postgres://me:p%40ss@db.example:6000/wickstream_sim?sslmode=require');
  expect(databaseUrlOf(given, placeOf('binance'), true)).toBe(given);
  expect(databaseUrlOf('postgres://db.example/postgres', placeOf('binance'), true)).toBe(
    'postgres://db.example/wickstream',
  );
});

it('a recording is named by its content, not by its path', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wick-hash-'));
  const [one, two, other] = ['one', 'two', 'other'].map((name) => join(folder, name)) as [string, string, string];
  writeFileSync(one, 'tick');
  writeFileSync(two, 'tick');
  writeFileSync(other, 'tock');
  const hash = await hashRecordings([one]);
  expect(hash).toMatch(/^[0-9a-f]{8}$/);
  expect(await hashRecordings([two])).toBe(hash);
  expect(await hashRecordings([other])).not.toBe(hash);
  expect(await hashRecordings([one, other])).not.toBe(await hashRecordings([other, one]));
  expect(await hashRecordings([one], 'BTCUSDT')).not.toBe(hash);
  rmSync(folder, { recursive: true });
});
