/**
 * Which pages may talk to the api: its own, and those of ALLOWED_ORIGINS.
 * It must not decide about clients that are no browsers: they name no origin.
 */
import { isIP } from 'node:net';
import { EnvironmentError } from '@wickstream/shared/environment';

/** Judges the Origin of a request by the Host it was sent to. */
export type OriginCheck = ReturnType<typeof createOriginCheck>;

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * Creates the check. Shape: `allowed` are origins such as https://charts.example.com; `host` is where the api listens.
 * Errors: throws for an entry that is no origin.
 */
export function createOriginCheck(allowed: readonly string[], host: string) {
  const listed = new Set(allowed.map(originOf));
  const isLocal = LOOPBACK.test(host) || host === '::1';

  // A name that somebody points at 127.0.0.1 is not this machine's name, so a loopback api knows itself by address only.
  const isOwnHost = (to: URL) => !isLocal || LOOPBACK.test(to.hostname) || isIP(to.hostname) > 0;

  const isAllowed = (origin: string | undefined, hostHeader: string | undefined): boolean => {
    if (origin === undefined || listed.has(origin)) return true;
    if (hostHeader === undefined || !URL.canParse(origin) || !URL.canParse(`http://${hostHeader}`)) return false;
    const [from, to] = [new URL(origin), new URL(`http://${hostHeader}`)];
    if (from.host === hostHeader) return isOwnHost(to);
    // On one machine any port is ours.
    return isLocal && LOOPBACK.test(from.hostname) && LOOPBACK.test(to.hostname);
  };
  return {
    /** Whether a page of this origin may connect and command. */
    isAllowed,
    /** Whether an origin stands in the list, so that its pages may read answers. */
    isListed: (origin: string): boolean => listed.has(origin),
  };
}

function originOf(text: string): string {
  const origin = URL.canParse(text) ? new URL(text).origin : 'null';
  if (origin === text && /^https?:/.test(text)) return text;
  throw new EnvironmentError(`ALLOWED_ORIGINS holds "${text}", which is no origin such as https://charts.example.com`);
}
