/**
 * The two forms of a socket's URL: `/ws/<stream>/…` and `/stream?streams=a/b`, URL-encoded or not.
 * It must be pure.
 */
import { STREAMS_MAX } from './control-protocol.ts';
import type { TimeUnit } from './payloads.ts';

/** What a URL asks for, or the HTTP status that refuses it. */
export type SocketTarget =
  | { readonly ok: true; readonly streams: readonly string[]; readonly combined: boolean; readonly unit: TimeUnit }
  | { readonly ok: false; readonly status: number; readonly reason: string };

/** Reads the URL of an upgrade request. */
export function parseSocketUrl(url: string): SocketTarget {
  const parsed = decodeUrl(url);
  if (parsed === undefined) return { ok: false, status: 400, reason: 'the URL is not well encoded' };
  const { path, query } = parsed;
  const unit = unitOf(query.get('timeUnit'));
  if (unit === undefined) return { ok: false, status: 400, reason: 'timeUnit must be MILLISECOND or MICROSECOND' };
  const combined = path === '/stream' || path === '/stream/';
  if (!combined && path !== '/ws' && !path.startsWith('/ws/')) {
    return { ok: false, status: 404, reason: 'streams are at /ws/<stream> and /stream?streams=' };
  }
  const text = combined ? (query.get('streams') ?? '') : path.slice(4);
  const streams = [...new Set(text.split('/').filter((name) => name !== ''))];
  if (streams.length > STREAMS_MAX) {
    return { ok: false, status: 400, reason: `a connection can listen to a maximum of ${STREAMS_MAX} streams` };
  }
  return { ok: true, streams, combined, unit };
}

function unitOf(text: string | null): TimeUnit | undefined {
  if (text === null || /^millisecond$/i.test(text)) return 'ms';
  return /^microsecond$/i.test(text) ? 'us' : undefined;
}

// A whole URL may arrive encoded, its `?` and `=` too; then only decoding shows where the query begins.
function decodeUrl(url: string): { path: string; query: URLSearchParams } | undefined {
  try {
    const whole = url.includes('?') ? url : decodeURIComponent(url);
    const cut = whole.indexOf('?');
    const path = decodeURIComponent(cut === -1 ? whole : whole.slice(0, cut));
    return { path, query: new URLSearchParams(cut === -1 ? '' : whole.slice(cut + 1).replaceAll('+', '%2B')) };
  } catch {
    return undefined;
  }
}
