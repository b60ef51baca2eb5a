/**
 * Holds .env.example against the code that reads the variables.
 * It must not know any variable by itself.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from '@wickstream/servers/server-folder';
import { describe, expect, it } from 'vitest';

const example = new Map(
  readFileSync(join(checkout, '.env.example'), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const match = /^# ([A-Z][A-Z0-9_]+)=(.*)$/.exec(line);
      return match ? [[match[1] ?? '', match[2] ?? ''] as const] : [];
    }),
);
const reader = readFileSync(join(checkout, 'packages/shared/src/environment.ts'), 'utf8');
const calls = [
  ...reader.matchAll(
    /\b(?:text|integer|port|list|optional|required)\(\s*env,\s*'([A-Z_0-9]+)'(?:,\s*('[^']*'|[\d_]+))?/g,
  ),
];

describe('.env.example', () => {
  it('lists every variable that the apps read', () => {
    expect(calls.length).toBeGreaterThan(20);
    const missing = calls.map((call) => call[1] ?? '').filter((name) => !example.has(name));
    expect(missing).toEqual([]);
  });

  it('states the defaults that the code has', () => {
    const stated = calls.flatMap(([, name = '', fallback]) =>
      fallback === undefined
        ? []
        : [{ name, value: fallback.replaceAll("'", '').replaceAll('_', fallback.startsWith("'") ? '_' : '') }],
    );
    expect(stated.filter(({ name, value }) => example.get(name) !== value)).toEqual([]);
  });

  it('describes each variable above its line', () => {
    const text = readFileSync(join(checkout, '.env.example'), 'utf8');
    expect(text).not.toMatch(/^\s*\n# [A-Z][A-Z0-9_]+=/m);
  });
});
