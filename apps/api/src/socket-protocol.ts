/**
 * The subprotocols of a WebSocket, the one header that a page can set: the protocol itself, and beside it the caller's key.
 * It must never answer or log a key; only the protocol is chosen.
 */
import { ApiError } from './api-error.ts';

/** The one subprotocol that is spoken, on every socket. */
export const SOCKET_PROTOCOL = 'wick.v1';

/** Before a key among the subprotocols. Shape: the key follows in base64url without padding, which every such name may hold. */
export const KEY_PROTOCOL = 'wick.key.';

/** How a page gives its key, as refusals say it. */
export const KEY_PROTOCOL_MEND = `from a page, offer the subprotocols ${SOCKET_PROTOCOL} and ${KEY_PROTOCOL}<the key in base64url>`;

/** The protocol that answers an offer; none where ours was not offered. */
export function chooseProtocol(offered: ReadonlySet<string>): string | false {
  return offered.has(SOCKET_PROTOCOL) ? SOCKET_PROTOCOL : false;
}

/** The key among offered subprotocols, as a header Authorization would give it. Errors: ApiError 401 for several, or one without the protocol itself. */
export function bearerOfOffer(offer: string | undefined): string | undefined {
  const offered = (offer ?? '').split(',').map((one) => one.trim());
  const [first, ...more] = offered.filter((one) => one.startsWith(KEY_PROTOCOL));
  if (first === undefined) return undefined;
  if (more.length > 0) throw new ApiError(401, 'unauthorized', 'several keys are offered as subprotocols; offer one');
  // A client that is answered with none of its offers closes the socket and does not say why.
  if (!offered.includes(SOCKET_PROTOCOL)) {
    throw new ApiError(401, 'unauthorized', `a key as a subprotocol goes with ${SOCKET_PROTOCOL}; offer both`);
  }
  return `Bearer ${readBase64Url(first.slice(KEY_PROTOCOL.length))}`;
}

// What is no base64url becomes nothing, which is a malformed key.
function readBase64Url(text: string): string {
  return /^[\w-]+$/.test(text) ? Buffer.from(text, 'base64url').toString() : '';
}
