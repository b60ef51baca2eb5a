/**
 * Whose request it is: the address of the connection, or what a configured proxy says of it.
 * It must not believe X-Forwarded-For from anybody else.
 */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { EnvironmentError } from '@wickstream/shared/environment';

/** Reads the client's address of a request. */
export type AddressReader = (request: Pick<IncomingMessage, 'headers' | 'socket'>) => string;

/** Longest chain of proxies that is followed. */
export const PROXIES_MAX = 8;

/** Creates the reader. Shape: `proxies` are addresses or ranges (10.0.0.0/8). Errors: throws for one that is neither. */
export function createAddressReader(proxies: readonly string[]): AddressReader {
  const trusted = listOf(proxies);
  const isTrusted = (address: string) => isIP(address) > 0 && trusted.check(address, familyOf(address));
  return ({ headers, socket }) => {
    let address = plainAddress(socket.remoteAddress ?? '');
    if (proxies.length === 0 || headers['x-forwarded-for'] === undefined) return address;
    // From the right: each proxy appends the one it heard from; the first that is not ours is the client.
    const chain = String(headers['x-forwarded-for']).split(',').slice(-PROXIES_MAX);
    for (let next = chain.pop(); next !== undefined && isTrusted(address); next = chain.pop()) {
      const told = plainAddress(next.trim());
      if (isIP(told) === 0) break;
      address = told;
    }
    return address;
  };
}

/** The name under which an address is counted: itself, or its /64 for IPv6, of which one household has 2^64. */
export function addressGroup(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array(Math.max(0, 8 - left.length - right.length)).fill('0');
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`;
}

function listOf(proxies: readonly string[]): BlockList {
  const list = new BlockList();
  for (const proxy of proxies) {
    const [address = '', bits] = proxy.split('/');
    const family = isIP(address);
    const width = bits === undefined ? undefined : Number(bits);
    const isRange = width !== undefined && /^\d{1,3}$/.test(bits ?? '') && width <= (family === 4 ? 32 : 128);
    if (family === 0 || (bits !== undefined && !isRange)) {
      throw new EnvironmentError(
        `TRUSTED_PROXIES holds "${proxy}", which is neither an address nor a range such as 10.0.0.0/8`,
      );
    }
    if (width === undefined) list.addAddress(address, familyOf(address));
    else list.addSubnet(address, width, familyOf(address));
  }
  return list;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

// A socket that listens on both families shows IPv4 clients inside IPv6.
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}
