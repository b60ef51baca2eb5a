/**
 * The page in a real Chromium, against a flowing feed: what a person sees, does by mouse, touch and keyboard, and never should see.
 * It must read the page as it is shown, not the page's own state.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { CandlesAnswer } from '@wickstream/client/answers';
import { engines } from '@wickstream/servers/fixture';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type LiveFeed, startLiveFeed, until } from '../drop-in/live-feed.ts';
import { keepPicture, type Look, type Misdeeds, program, startBrowser, type TestBrowser } from './chromium.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RATE = 900;

// How many points of the chart have the colour of rising or falling candles.
const COLOURED = `[...document.querySelectorAll('#chart canvas')].reduce((sum, canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < data.length; i += 4) {
    const [red, green] = [data[i], data[i + 1]];
    if (Math.abs(red - green) > 60 && data[i + 3] > 200) sum++;
  }
  return sum;
}, 0)`;

const [engine] = await engines();
if (engine === undefined) throw new Error('no engine');

describe('the page', { timeout: 60_000 }, () => {
  let feed: LiveFeed;
  let browser: TestBrowser;
  let page: Page;
  const opened: { page: Page; misdeeds: Misdeeds }[] = [];

  const open = async (hash: string, look?: Look): Promise<Page> => {
    const one = await browser.open(`${feed.base}/#${hash}`, look);
    opened.push(one);
    await textIs(one.page, '#link-text', 'live');
    return one.page;
  };
  const newest = async (query: string) => {
    const { candles } = await feed.get<CandlesAnswer>(`/v1/candles?${query}&limit=1`);
    return candles.at(-1);
  };

  beforeEach((ctx) => {
    if (program === undefined) ctx.skip('no chromium here');
  });

  beforeAll(async () => {
    if (program === undefined) return;
    [feed, browser] = await Promise.all([startLiveFeed(engine, RATE, 1), startBrowser()]);
    await until('both symbols are recorded and the last hour is there', async () => {
      const { symbols } = await feed.get<{ symbols: { sources: string[] }[] }>('/v1/symbols');
      if (symbols.length < 2 || symbols.some(({ sources }) => sources.length < 2)) return false;
      const { candles } = await feed.get<CandlesAnswer>('/v1/candles?symbol=BTCUSDT&interval=5m&limit=12');
      return candles.length === 12 && candles.every(({ complete }) => complete);
    });
    page = await open('symbol=BTCUSDT&interval=1m&hop=same');
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await feed?.close();
  });

  it('shows candles that move, and says loudly that the market is simulated', async () => {
    expect(await textOf(page, '#banner')).toMatch(/SIMULATED MARKET/);
    expect(await textOf(page, '#mark')).toMatch(/simulated/i);
    await until('candles are drawn', async () => ((await page.evaluate(COLOURED)) as number) > 500);
    const before = await textOf(page, '#price');
    await until('the price moves', async () => (await textOf(page, '#price')) !== before);
    await until('the legend is of the newest candle', async () => {
      const legend = await textOf(page, '#legend');
      const candle = await newest('symbol=BTCUSDT&interval=1m');
      const opened = new Date(candle?.openTime ?? 0).toISOString().slice(0, 16).replace('T', ' ');
      return legend.includes(opened) && plain(legend).includes(candle?.open ?? '?');
    });
    expect(await textOf(page, '#shown')).toMatch(/^(\d+) of \d+ complete$/);
    await until('trades, tickers and status are there', async () => {
      const [rows, tickers] = [page.locator('#trades tbody tr'), page.locator('#tickers .big')];
      const shards = page.locator('#shards li');
      return (await rows.count()) === 14 && (await tickers.count()) === 2 && (await shards.count()) === 2;
    });
    expect(await textOf(page, '#status-speed')).toMatch(/\d ms[\s\S]*p99 [\d,.]+ ms/);
    expect(await textOf(page, '#shards li')).toMatch(/lag[\s\S]*batch[\s\S]*owner/);
    await keepPicture(page, 'desktop-dark');
  });

  it('switches symbol, interval, hop and price by mouse, and keeps them in the address', async () => {
    await page.locator('label:has(#symbol-ETHUSDT)').click();
    await textIs(page, '#name', 'ETHUSDT');
    await page.locator('label:has(#interval-5m)').click();
    await page.locator('label:has(#hop-1m)').click();
    await page.locator('label:has(#source-mid)').click();
    const address = new URLSearchParams(new URL(page.url()).hash.slice(1));
    expect(Object.fromEntries(address)).toEqual({ symbol: 'ETHUSDT', interval: '5m', hop: '1m', source: 'mid' });
    await until('the legend is of the newest window', async () => {
      const candle = await newest('symbol=ETHUSDT&interval=5m&hop=1m&source=mid');
      return plain(await textOf(page, '#legend')).includes(candle?.open ?? '?');
    });
    const copy = await open(new URL(page.url()).hash.slice(1), { light: true });
    await textIs(copy, '#name', 'ETHUSDT');
    expect(await copy.locator('#hop-1m').isChecked()).toBe(true);
    await until('its candles are drawn', async () => ((await copy.evaluate(COLOURED)) as number) > 500);
    await keepPicture(copy, 'desktop-light');
    await copy.context().close();
  });

  it('can be used by keyboard alone, and tells what happens to those who listen', async () => {
    await page.keyboard.press('[');
    await textIs(page, '#name', 'BTCUSDT');
    await page.keyboard.press('1');
    await page.keyboard.press('m');
    expect(await page.locator('#interval-1m').isChecked()).toBe(true);
    expect(await page.locator('#source-trade').isChecked()).toBe(true);
    await textIs(page, '#announcer', /BTCUSDT, 1m candles/);
    await page.keyboard.press('?');
    expect(await page.locator('#help-dialog').isVisible()).toBe(true);
    await page.keyboard.press('Escape');
    expect(await page.locator('#help-dialog').isVisible()).toBe(false);
    await until('candles are there', async () => /\d of/.test(await textOf(page, '#shown')));
    await page.keyboard.press('c');
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    await textIs(page, '#announcer', /UTC: open \d+.*trades, closed, complete/);
    const stops = new Set<string>();
    await page.locator('.brand').focus();
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press('Tab');
      stops.add(String(await page.evaluate('document.activeElement.id || document.activeElement.name')));
    }
    expect([...stops]).toEqual(expect.arrayContaining(['symbol-BTCUSDT', 'feed', 'theme', 'interval-1m', 'chart']));
  });

  it('shows a gap, and that it has healed', async () => {
    await page.mouse.move(5, 5);
    await feed.fault({ dropEvery: 3, restStatus: 503 });
    await until('the gap is shown', async () => Number(plain(await textOf(page, '#status-gaps dd'))) > 0);
    await textIs(page, '#coverage', /missing.*being fetched/);
    await textIs(page, '#legend', /incomplete/);
    await keepPicture(page, 'gap');
    await feed.fault({ do: 'reset' });
    await textIs(page, '#status-gaps', /Open gaps\s+0/, 40_000);
    await textIs(page, '#coverage', /No open gap/);
    await until('candles are complete again', async () => {
      const [, complete, all] = /(\d+) of (\d+)/.exec(await textOf(page, '#shown')) ?? [];
      return Number(complete) > 0 && complete === all;
    });
  });

  it('says that a symbol is halted', async () => {
    await feed.fault({ do: 'status', symbol: 'BTCUSDT', status: 'HALT' });
    await textIs(page, '#link-text', 'halted', 30_000);
    await textIs(page, '#status-trading', /Not trading\s+1 symbol\s+BTCUSDT halted/);
    await keepPicture(page, 'halted');
    await feed.fault({ do: 'status', symbol: 'BTCUSDT', status: 'TRADING' });
    // The next test waits for the end of the halt, which is told while it does something else.
  });

  it('stops and starts the feed after asking', async () => {
    await textIs(page, '#feed', 'Stop feed');
    await page.locator('#feed').click();
    await page.keyboard.press('Escape');
    await page.locator('#feed').click();
    await page.locator('#feed-do').click();
    await textIs(page, '#feed', 'Start feed');
    await textIs(page, '#link-text', 'not listening');
    expect(await feed.get('/v1/status')).toMatchObject({ flow: 'stopped' });
    await page.locator('#feed').click();
    await page.locator('#feed-do').click();
    await textIs(page, '#link-text', 'live', 30_000);
    await textIs(page, '#status-feed', /running/);
    await until('no halt is told any more', async () => (await page.locator('#status-trading').count()) === 0);
  });

  it('fits a phone, with everything within reach', async () => {
    const phone = await open('symbol=BTCUSDT&interval=5m&hop=1m', { phone: true });
    expect(await phone.evaluate('document.documentElement.scrollWidth')).toBe(390);
    await phone.locator('label:has(#interval-1m)').tap();
    await phone.locator('label:has(#symbol-ETHUSDT)').tap();
    await textIs(phone, '#name', 'ETHUSDT');
    await until('candles are drawn', async () => ((await phone.evaluate(COLOURED)) as number) > 500);
    const small = await phone.evaluate(`[...document.querySelectorAll('button, .segments label, .symbols label')]
      .filter((one) => one.offsetParent !== null && one.getBoundingClientRect().height < 32).map((one) => one.textContent)`);
    expect(small).toEqual([]);
    await keepPicture(phone, 'phone-dark');
    await phone.emulateMedia({ colorScheme: 'light' });
    await keepPicture(phone, 'phone-light');
    await phone.context().close();
  });

  it.each(['dark', 'light'] as const)('has labels, roles and contrast as WCAG 2.2 AA asks, %s', async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(AXE);
    const run = `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })`;
    const { violations } = (await page.evaluate(run)) as { violations: { id: string; nodes: { html: string }[] }[] };
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  });

  it('logs no error and asks nobody else', () => {
    expect(opened.length).toBeGreaterThan(2);
    expect(opened.map(({ misdeeds }) => misdeeds)).toEqual(opened.map(() => ({ errors: [], foreign: [] })));
  });
});

async function textIs(page: Page, selector: string, wanted: string | RegExp, deadlineMs?: number): Promise<void> {
  let last = '';
  const check = async () => {
    last = (await textOf(page, selector)).trim();
    return typeof wanted === 'string' ? last === wanted : wanted.test(last.replaceAll('\n', ' '));
  };
  await until(`${selector} shows ${wanted}`, check, deadlineMs).catch((error: Error) => {
    throw new Error(`${error.message}; it shows: ${last}`);
  });
}

// As it is shown: capitals that a style makes, and nothing that it hides.
function textOf(page: Page, selector: string): Promise<string> {
  // biome-ignore lint/performance/useDomNodeTextContent: what a person reads is what is asked for
  return page.locator(selector).first().innerText();
}

// What is shown has its thousands apart; what the api sends has not.
function plain(text: string): string {
  return text.replaceAll(',', '');
}
