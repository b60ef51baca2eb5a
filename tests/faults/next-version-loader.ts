/**
 * Loaded before an app: makes it one of the next version, by the changes that next-version.ts names in a variable.
 * It must import nothing of ours, because what is loaded before it is in charge is not changed.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

type Change = { readonly file: string; readonly from: string; readonly to: string };

const changes = JSON.parse(process.env.WICK_NEXT_VERSION ?? '[]') as Change[];

registerHooks({
  load: (url, context, nextLoad) => {
    const change = changes.find(({ file }) => new RegExp(file).test(url));
    const loaded = nextLoad(url, context);
    if (change === undefined) return loaded;
    const text = readFileSync(fileURLToPath(url), 'utf8');
    if (!text.includes(change.from)) throw new Error(`${url} does not hold ${change.from}; adapt next-version.ts`);
    return { ...loaded, source: text.replace(change.from, change.to) };
  },
});
