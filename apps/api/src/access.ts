/**
 * The door of the api: judges every request and every upgrade by its origin, its rate and its key, before anything is done for it.
 * It must not know what a call does; a route says which scope it needs.
 */
import type { IncomingMessage } from 'node:http';
import { type ApiKeys, covers, type KeyVerdict, type Scope } from '@wickstream/shared/api-keys';
import type { Logger } from '@wickstream/shared/log';
import { ApiError } from './api-error.ts';
import { type AddressReader, addressGroup } from './client-address.ts';
import type { OriginCheck } from './origin-check.ts';
import { type RateLimit, WRONG_KEY_COST } from './rate-limit.ts';
import { bearerOfOffer, KEY_PROTOCOL_MEND } from './socket-protocol.ts';

/** What a route asks for: nothing (the page's files, health), reading, or control. */
export type Need = 'nothing' | Scope;

/** What the door needs. Shape: with `readsNeedKey`, reading needs a key too. */
export type AccessParts = {
  readonly keys: ApiKeys;
  readonly readsNeedKey: boolean;
  readonly origins: OriginCheck;
  readonly limit: RateLimit;
  readonly addressOf: AddressReader;
  readonly log: Pick<Logger, 'info' | 'warn'>;
};

/** The door. */
export type Access = ReturnType<typeof createAccess>;

/** Who was let in. Shape: `client` is what rates are counted by. */
export type Caller = { readonly client: string; readonly keyId: string | undefined };

// Queries in which no key was found, so that those of every second are not searched each time. Limits: begun anew when full.
const CLEAN_MAX = 1_000;
const CLEAN_LENGTH_MAX = 500;

const KEY_NAMES = /^(api[-_]?keys?|key|token|access[-_]?token|auth|authorization|bearer|x-mbx-apikey)$/i;

/** Creates the door. Errors of `admit`: ApiError 401, 403 or 429, and nothing else. */
export function createAccess(parts: AccessParts) {
  const { keys, origins, limit, addressOf, log } = parts;
  const clean = new Set<string>();

  const charge = (client: string, cost = 1): void => {
    const retryAfterS = limit.take(client, cost);
    if (retryAfterS === undefined) return;
    throw new ApiError(429, 'too_many_requests', 'too many calls of this client; wait, or ask for more at once', {
      retryAfterS,
    });
  };

  // A wrong key is paid for by the address, so that guessing is slow whatever is guessed.
  const refusalOf = (verdict: KeyVerdict, address: string, isUpgrade: boolean): ApiError => {
    charge(addressGroup(address), WRONG_KEY_COST);
    if (verdict.state === 'revoked') {
      log.warn({ key: verdict.id, address }, 'a revoked key was used');
      return new ApiError(403, 'forbidden', 'this key was revoked; ask the operator for another');
    }
    if (verdict.state === 'unknown') {
      log.warn({ address }, 'an unknown key was used');
      return new ApiError(403, 'forbidden', 'this key is not one of API_KEYS; use another');
    }
    const mend = `send the header Authorization: Bearer <key>${isUpgrade ? `; ${KEY_PROTOCOL_MEND}` : ''}`;
    return new ApiError(401, 'unauthorized', `a key is needed; ${mend}`);
  };

  const checkKey = (verdict: KeyVerdict, need: Need, address: string, isUpgrade: boolean): void => {
    if (!keys.isOn) return;
    // A key that is sent is checked also where none is needed: whoever sends one wants to know that it is wrong.
    if (verdict.state === 'revoked' || verdict.state === 'unknown') throw refusalOf(verdict, address, isUpgrade);
    const isOpen = need === 'nothing' || (need === 'read' && !parts.readsNeedKey);
    if (isOpen) return;
    if (verdict.state !== 'good') throw refusalOf(verdict, address, isUpgrade);
    if (covers(verdict.scope, need)) return;
    throw new ApiError(403, 'forbidden', 'this key may read only; use one with the scope control');
  };

  return {
    addressOf,
    /**
     * Lets a request in, or throws. Shape: `need` is the route's; an upgrade or a change must come from a page of ours or no page. The key is that of the
     * header Authorization, and without one that of an upgrade's subprotocols.
     */
    admit(request: IncomingMessage, need: Need): Caller {
      const address = addressOf(request);
      const { origin, host, upgrade, authorization } = request.headers;
      const offer = upgrade === undefined ? undefined : request.headers['sec-websocket-protocol'];
      const verdict = keys.judge(authorization ?? (keys.isOn ? bearerOfOffer(offer) : undefined));
      const keyId = keys.isOn && verdict.state === 'good' ? verdict.id : undefined;
      const client = keyId === undefined ? addressGroup(address) : `key ${keyId}`;
      charge(client);
      const isReading = request.method === 'GET' || request.method === 'HEAD' || request.method === 'OPTIONS';
      if ((upgrade !== undefined || !isReading) && !origins.isAllowed(origin, host)) {
        throw new ApiError(403, 'forbidden', 'pages of other origins may not do this; add theirs to ALLOWED_ORIGINS');
      }
      if (keys.isOn) refuseKeyInUrl(request.url ?? '', keys, clean);
      checkKey(verdict, need, address, upgrade !== undefined);
      if (need === 'control') log.info({ key: keyId ?? 'none', address, call: pathOf(request.url) }, 'control');
      return { client, keyId };
    },
  };
}

function refuseKeyInUrl(url: string, keys: ApiKeys, clean: Set<string>): void {
  const cut = url.indexOf('?');
  if (cut === -1) return;
  const query = url.slice(cut + 1);
  if (clean.has(query)) return;
  for (const [name, value] of new URLSearchParams(query)) {
    if (!KEY_NAMES.test(name) && !keys.holds(value)) continue;
    const message = 'a key in a URL ends in logs; send the header Authorization: Bearer <key>, and replace this key';
    throw new ApiError(401, 'unauthorized', message);
  }
  if (query.length > CLEAN_LENGTH_MAX) return;
  if (clean.size >= CLEAN_MAX) clean.clear();
  clean.add(query);
}

function pathOf(url = ''): string {
  return url.split('?')[0]?.slice(0, 200) ?? '';
}
