/**
 * API keys: what an entry of API_KEYS says, and whether a given key is one of them and may do what it asks.
 * It must never keep, log or answer a key itself; digests of one length are compared, in a time that tells nothing.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { EnvironmentError } from './environment.ts';

/** What a key allows: `read` asks, `control` also starts, stops and changes. */
export type Scope = 'read' | 'control';

/** An entry of API_KEYS. Shape: `id` names it in logs; a revoked one is known and refused. */
export type KnownKey = { readonly id: string; readonly scope: Scope | 'revoked'; readonly digest: Buffer };

/** What a request's key says. Shape: `absent` without any key; `scope` only of a good one. */
export type KeyVerdict =
  | { readonly state: 'absent' | 'malformed' | 'unknown' }
  | { readonly state: 'revoked'; readonly id: string }
  | { readonly state: 'good'; readonly id: string; readonly scope: Scope };

/** The keys of a process. */
export type ApiKeys = ReturnType<typeof createApiKeys>;

/** Random bytes of a new key. */
export const KEY_BYTES = 32;

/** Longest key that is looked at. Units: characters. */
export const KEY_LENGTH_MAX = 256;

const HASHED = /^([\w.-]{1,40}):(read|control|revoked):sha256:([0-9a-f]{64})$/;

/**
 * Reads one entry: `name:scope:sha256:<hex>` (scope read, control or revoked), or a plain key, which may do everything.
 * Errors: throws a sentence for an entry that was meant as the first form and is not, so that a digest never becomes a key.
 */
export function readKeyEntry(entry: string): KnownKey {
  const [, id, scope, hex] = HASHED.exec(entry) ?? [];
  if (id !== undefined && hex !== undefined) {
    return { id, scope: scope as KnownKey['scope'], digest: Buffer.from(hex, 'hex') };
  }
  if (/:sha-?256:/i.test(entry)) {
    throw new EnvironmentError(
      'API_KEYS holds an entry that is not name:read|control|revoked:sha256:<64 hex digits>; make one with "npm run wick -- keys new"',
    );
  }
  const digest = digestOf(entry);
  return { id: `plain-${digest.toString('hex').slice(0, 8)}`, scope: 'control', digest };
}

/** Creates the check of a process. Shape: without entries every caller may do everything. */
export function createApiKeys(entries: readonly string[]) {
  const known = entries.map(readKeyEntry);
  const find = (key: string): KnownKey | undefined => {
    const digest = digestOf(key);
    let found: KnownKey | undefined;
    // Each is compared, so that the time does not tell which one was met.
    for (const one of known) if (timingSafeEqual(one.digest, digest)) found = one;
    return found;
  };
  return {
    /** Whether any key is asked for. */
    isOn: known.length > 0,
    /** Judges the header Authorization. */
    judge(authorization: string | undefined): KeyVerdict {
      if (authorization === undefined) return { state: 'absent' };
      const key = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
      if (key === undefined || key.length > KEY_LENGTH_MAX) return { state: 'malformed' };
      const one = find(key);
      if (one === undefined) return { state: 'unknown' };
      const { id, scope } = one;
      return scope === 'revoked' ? { state: 'revoked', id } : { state: 'good', id, scope };
    },
    /** Whether a text is one of the keys, for finding keys where they must not be. */
    holds: (text: string): boolean => text.length <= KEY_LENGTH_MAX && find(text) !== undefined,
  };
}

/** Whether a scope covers what is needed. */
export function covers(scope: Scope, needed: Scope): boolean {
  return scope === 'control' || needed === 'read';
}

/** Makes a key: the secret for its user, and the entry for API_KEYS, which does not tell the secret. Errors: throws for an id that an entry cannot hold. */
export function makeKey(id: string, scope: Scope): { readonly secret: string; readonly entry: string } {
  const secret = `wick_${randomBytes(KEY_BYTES).toString('base64url')}`;
  const entry = `${id}:${scope}:sha256:${digestOf(secret).toString('hex')}`;
  if (!HASHED.test(entry)) throw new Error('a name has 1 to 40 letters, digits, dots, dashes or underscores');
  return { secret, entry };
}

// A key is random, so one round of SHA-256 is as good as a slow hash.
function digestOf(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}
