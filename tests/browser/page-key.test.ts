/**
 * The page of an api whose reads need a key, in a real Chromium: it asks, takes a good one for calls and stream alike, and forgets it with the tab.
 * It must read the page as it is shown.
 */
import { engines } from '@wickstream/servers/fixture';
import { makeKey } from '@wickstream/shared/api-keys';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../apps/api/test/api-service.ts';
import { createRandom, createTape } from '../../apps/api/test/seeded.ts';
import { createTestFeed } from '../../apps/api/test/test-feed.ts';
import { program, startBrowser, type TestBrowser } from './chromium.ts';

const START_US = Date.UTC(2024, 7, 8, 9) * 1000;
const MINUTE_US = 60_000_000;
const reader = makeKey('reader', 'read');

const [engine] = await engines();
if (engine === undefined) throw new Error('no engine');

describe('the page of an api that wants a key', { timeout: 60_000 }, () => {
  let api: TestApi;
  let browser: TestBrowser;

  beforeEach((ctx) => {
    if (program === undefined) ctx.skip('no chromium here');
  });

  beforeAll(async () => {
    if (program === undefined) return;
    const prepare = async (database: TestApi['database'], redis: TestApi['redis']) => {
      const feed = createTestFeed(database.sql, 'BTCUSDT', redis);
      await feed.commit(createTape(createRandom(5), START_US, 40, 0.2), START_US + 40 * MINUTE_US);
    };
    const settings = { apiKeys: [reader.entry], readsNeedKey: true };
    [api, browser] = await Promise.all([startTestApi(engine, prepare, settings), startBrowser()]);
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await api?.close();
  });

  const give = async (page: Page, key: string): Promise<void> => {
    await page.locator('#access-key').fill(key);
    await Promise.all([page.waitForEvent('load'), page.locator('#access-form button[value=do]').click()]);
  };

  it('asks for a key, says what is wrong with one, and shows candles with a good one', async () => {
    const { page, misdeeds } = await browser.open(`${api.base}/#symbol=BTCUSDT&interval=1m&hop=same`);
    const dialog = page.locator('#access-dialog');
    await dialog.waitFor({ state: 'visible' });
    expect(await page.locator('#link-text').textContent()).toBe('a key is needed');
    await give(page, 'wick_wrong');
    await dialog.waitFor({ state: 'visible' });
    expect(await page.locator('#access-error').textContent()).toContain('not one of API_KEYS');
    const sockets: string[] = [];
    page.on('websocket', (socket) => sockets.push(socket.url()));
    await give(page, reader.secret);
    // The price comes over the stream alone.
    await page.locator('#price', { hasText: /\d/ }).waitFor();
    expect(await dialog.isVisible()).toBe(false);
    expect([sockets.length > 0, `${sockets.join()} ${page.url()}`.includes(reader.secret)]).toEqual([true, false]);
    expect(await page.evaluate('[localStorage.length, document.cookie, sessionStorage.length]')).toEqual([0, '', 1]);
    await page.goto(`${api.base}/docs`);
    await page.locator('section h2', { hasText: 'GET /v1/candles' }).waitFor();
    expect(misdeeds.foreign).toEqual([]);
    const other = await page.context().newPage();
    await other.goto(api.base);
    await other.locator('#access-dialog').waitFor({ state: 'visible' });
    await other.locator('#access-form button[value=cancel]').click();
    await other.locator('#access-dialog').waitFor({ state: 'hidden' });
  });
});
