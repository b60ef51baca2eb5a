/**
 * The command `wick keys new`: makes an API key and prints it once, with the entry for API_KEYS that does not tell it.
 * It must not write the key anywhere.
 */
import { makeKey } from '@wickstream/shared/api-keys';
import { readOptions } from './command-options.ts';
import { UsageError } from './usage-error.ts';

/** `wick keys new --name N [--scope read|control] [--json]`. */
export async function runKeys(args: string[]): Promise<number> {
  const options = readOptions('keys', args, 1);
  const [what] = options.positionals;
  if (what !== 'new') {
    const said = what === undefined ? 'Say what: new' : `There is no "keys ${what}", only new`;
    throw new UsageError(`${said}; npm run wick -- keys --help says more.`, 2);
  }
  const [name, scope] = [options.required('name'), options.choice('scope', ['read', 'control'])];
  const key = make(name, scope);
  console.log(
    options.flag('json')
      ? JSON.stringify({ name, scope, key: key.secret, entry: key.entry }, null, 2)
      : [
          `the key, for its user; it is shown this once:  ${key.secret}`,
          `its entry, for API_KEYS of api and ingest:     ${key.entry}`,
          'To revoke it, put revoked for its scope, or take the entry out, and start them again.',
        ].join('\n'),
  );
  return 0;
}

function make(name: string, scope: 'read' | 'control') {
  try {
    return makeKey(name, scope);
  } catch (error) {
    throw new UsageError(`--name: ${error instanceof Error ? error.message : error}; got "${name}".`, 2, error);
  }
}
