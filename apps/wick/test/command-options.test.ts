/**
 * Checks the options that the commands share: what is read, what is refused, and how times are understood.
 * It must not run a command.
 */
import { describe, expect, it } from 'vitest';
import { commandHelp, formatHelp, type HelpName } from '../src/command-help.ts';
import { formatTime, parseTime, readOptions } from '../src/command-options.ts';
import { placeOfEnvironment } from '../src/running-place.ts';
import { formatTable } from '../src/text-table.ts';

const names = Object.keys(commandHelp) as HelpName[];

describe('options', () => {
  it('are those of the help, and any other is refused in one sentence', () => {
    for (const name of names) {
      expect(() => readOptions(name, ['--nonsense'])).toThrow(
        `Unknown option '--nonsense'; npm run wick -- ${name} --help says what there is.`,
      );
      for (const [option] of commandHelp[name].options) expect(formatHelp(name)).toContain(`  ${option} `);
    }
    expect(() => readOptions('status', ['now'])).toThrow('"now" is not an option');
    expect(() => readOptions('verify', ['--symbol'])).toThrow(/^Option '--symbol <value>' argument missing; /);
  });

  it('are read with their kinds', () => {
    const options = readOptions('verify', ['--symbol', 'x', '--limit=7', '--json', '--from', '2026-01-02']);
    expect(options.required('symbol')).toBe('x');
    expect(options.count('limit', 20, 100)).toBe(7);
    expect(options.flag('json')).toBe(true);
    expect(options.timeMs('from')).toBe(Date.UTC(2026, 0, 2));
    expect(options.timeMs('to')).toBeUndefined();
    expect(() => readOptions('verify', []).required('symbol')).toThrow('--symbol is missing');
    expect(() => readOptions('verify', ['--limit', '0']).count('limit', 20, 100)).toThrow('from 1 to 100; got "0"');
    expect(() => readOptions('verify', ['--to', 'soon']).timeMs('to')).toThrow('--to must be a time such as');
    expect(() => readOptions('export', ['--what', 'bars']).choice('what', ['candles', 'trades'])).toThrow(
      '--what must be candles or trades; got "bars"',
    );
  });
});

describe('times', () => {
  it.each([
    ['2026-11-21', Date.UTC(2026, 10, 21)],
    ['2026-11-21T12:30', Date.UTC(2026, 10, 21, 12, 30)],
    ['2026-11-21 12:30:15.250Z', Date.UTC(2026, 10, 21, 12, 30, 15, 250)],
    ['2026-11-21T12:30+02:00', Date.UTC(2026, 10, 21, 10, 30)],
    ['1763683200000', 1_763_683_200_000],
    ['yesterday', undefined],
    ['2026-13-01', undefined],
    ['1763683200', undefined],
  ])('%s is read in UTC', (text, expected) => {
    expect(parseTime(text)).toBe(expected);
  });

  it('are shown without needless seconds', () => {
    expect(formatTime(Date.UTC(2026, 0, 1))).toBe('2026-01-01T00:00Z');
    expect(formatTime(Date.UTC(2026, 0, 1, 0, 0, 5))).toBe('2026-01-01T00:00:05Z');
    expect(formatTime(Date.UTC(2026, 0, 1) + 5)).toBe('2026-01-01T00:00:00.005Z');
  });
});

it('a place without variables is the standard one', () => {
  expect(placeOfEnvironment({})).toMatchObject({
    apiUrl: 'http://127.0.0.1:8080',
    ingestUrl: 'http://127.0.0.1:8081',
    aggregatorUrl: 'http://127.0.0.1:8082',
    redisUrl: undefined,
  });
  expect(placeOfEnvironment({ HOST: '0.0.0.0', API_PORT: '9', REDIS_URL: 'redis://x' })).toMatchObject({
    apiUrl: 'http://127.0.0.1:9',
    redisUrl: 'redis://x',
  });
});

it('a table lets nothing in a cell move the terminal', () => {
  expect(formatTable(['a', 'bb'], [['\u001b[2Jx', 'y'.repeat(200)]])).toBe(`a      bb\n·[2Jx  ${'y'.repeat(99)}…`);
});
