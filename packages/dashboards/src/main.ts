/**
 * Writes the dashboards of this package into grafana/dashboards: node packages/dashboards/src/main.ts
 * It must write nothing else, and its files are never edited by hand.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DASHBOARDS } from './catalogue.ts';

const folder = join(import.meta.dirname, '../../../grafana/dashboards');
for (const [name, { file }] of DASHBOARDS)
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(file, null, 2)}\n`);
