/**
 * A real Chromium of this machine, driven over its debugging protocol, with everything noted that a good page never does.
 * It must not download a browser, nor let one talk to any host but this one.
 */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Page } from 'playwright-core';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const ARGUMENTS = [
  ...['--no-sandbox', '--disable-background-networking', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-component-update', '--disable-sync'],
];
const ARTEFACTS = join(import.meta.dirname, '../../test-results/browser');

/** The browser's program, or undefined when this machine has none. */
export const program: string | undefined = findProgram();

/** What a page did that it must not: console errors, exceptions, and requests to other hosts. */
export type Misdeeds = { readonly errors: string[]; readonly foreign: string[] };

/** A browser. Shape: `open` gives a page in a context of its own, as a desktop or a phone has it. */
export type TestBrowser = {
  open(url: string, look?: Look): Promise<{ page: Page; misdeeds: Misdeeds }>;
  close(): Promise<void>;
};

/** How a page is looked at; by default on a dark desktop. */
export type Look = { readonly phone?: boolean; readonly light?: boolean };

/** Starts the browser's program in a fresh folder. Errors: rejects when it does not start. */
export async function startBrowser(): Promise<TestBrowser> {
  if (program === undefined) throw new Error('no chromium here');
  const browser = await chromium.launch({ executablePath: program, args: ARGUMENTS });
  return {
    async open(url, look = {}) {
      const context = await browser.newContext({
        viewport: look.phone ? { width: 390, height: 844 } : { width: 1440, height: 900 },
        deviceScaleFactor: look.phone ? 2 : 1,
        isMobile: look.phone === true,
        hasTouch: look.phone === true,
        colorScheme: look.light ? 'light' : 'dark',
      });
      const page = await context.newPage();
      const misdeeds = watch(page, new URL(url).host);
      await page.goto(url);
      return { page, misdeeds };
    },
    close: () => browser.close(),
  };
}

function watch(page: Page, host: string): Misdeeds {
  const misdeeds: Misdeeds = { errors: [], foreign: [] };
  const visit = (url: string) => {
    if (!/^(data|blob):/.test(url) && new URL(url).host !== host) misdeeds.foreign.push(url);
  };
  page.on('console', (message) => {
    if (message.type() === 'error') misdeeds.errors.push(message.text());
  });
  page.on('pageerror', (error) => misdeeds.errors.push(String(error)));
  page.on('request', (request) => visit(request.url()));
  page.on('websocket', (socket) => visit(socket.url()));
  return misdeeds;
}

/** Keeps a picture of a page below `test-results/browser`. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  mkdirSync(ARTEFACTS, { recursive: true });
  await page.screenshot({ path: join(ARTEFACTS, `${name}.png`), fullPage: true });
}

function findProgram(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const paths = PROGRAMS.flatMap((name) => folders.map((folder) => join(folder, name)));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
