/**
 * Chooses the apps' ports: the standard ones where they are free, others where they are not.
 * It must not move a port that was asked for.
 */
import { freePortNear, isPortFree } from '@wickstream/servers/free-port';
import { readPort } from './start-options.ts';
import { UsageError } from './usage-error.ts';

/** The variable and the standard port of each app. */
export const standardPorts = {
  exchange: { variable: 'EXCHANGE_PORT', port: 9443 },
  ingest: { variable: 'INGEST_PORT', port: 8081 },
  aggregator: { variable: 'AGGREGATOR_PORT', port: 8082 },
  api: { variable: 'API_PORT', port: 8080 },
} as const;

/** A port for each app. */
export type AppPorts = Record<keyof typeof standardPorts, number>;

/** Chooses all ports. Errors: UsageError when one that was asked for is taken. */
export async function choosePorts(
  env: Readonly<Record<string, string | undefined>>,
  host: string,
  askedApiPort?: number,
): Promise<AppPorts> {
  const asked = (name: keyof AppPorts) => {
    if (name === 'api' && askedApiPort !== undefined) return askedApiPort;
    const text = env[standardPorts[name].variable]?.trim();
    return text && text !== '0' ? readPort(text) : undefined;
  };
  const choose = async (name: keyof AppPorts) => {
    const wanted = asked(name);
    if (wanted === undefined) return freePortNear(standardPorts[name].port, host);
    if (await isPortFree(wanted, host)) return wanted;
    throw new UsageError(
      `Port ${wanted} was asked for (${standardPorts[name].variable}) and is taken; end what uses it or ask for another.`,
    );
  };
  return {
    exchange: await choose('exchange'),
    ingest: await choose('ingest'),
    aggregator: await choose('aggregator'),
    api: await choose('api'),
  };
}
