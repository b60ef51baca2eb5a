/**
 * The page of the API: draws /openapi.json, call by call.
 * It must hold no knowledge of the calls of its own.
 */
import { keptKey, wantsKey } from './page-access.js';

const make = (name, children = []) => {
  const made = document.createElement(name);
  made.append(...children);
  return made;
};

const row = (cell, texts) =>
  make(
    'tr',
    texts.map((text) => make(cell, [text])),
  );

function parametersOf(operation) {
  const parameters = operation.parameters ?? [];
  if (parameters.length === 0) return [];
  const rows = parameters.map(({ name, required, schema, description }) =>
    row('td', [
      required ? `${name} *` : name,
      schema.enum?.join(' | ') ?? schema.type ?? '',
      description ?? schema.description ?? '',
    ]),
  );
  return [make('table', [row('th', ['parameter', 'type', 'meaning']), ...rows])];
}

function answersOf(operation) {
  return Object.entries(operation.responses ?? {}).map(([status, { content }]) => {
    const schema = Object.values(content ?? {})[0]?.schema ?? {};
    return make('details', [make('summary', [`answer ${status}`]), make('pre', [JSON.stringify(schema, null, 2)])]);
  });
}

function sectionOf(path, method, operation) {
  const title = make('h2', [make('code', [`${method.toUpperCase()} ${path}`]), operation.summary ?? '']);
  const about = operation.description === undefined ? [] : [make('p', [operation.description])];
  return make('section', [title, ...about, ...parametersOf(operation), ...answersOf(operation)]);
}

function show(openapi) {
  const sections = Object.entries(openapi.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => sectionOf(path, method, operation)),
  );
  document.getElementById('docs').replaceChildren(make('p', [openapi.info.description]), ...sections);
}

const key = keptKey();
const answer = await fetch('/openapi.json', key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } });
if (answer.ok) show(await answer.json());
else {
  const mend = wantsKey(answer)
    ? 'Reading from here needs a key; give it on the page first: '
    : `HTTP ${answer.status}; `;
  const home = make('a', ['the page']);
  home.href = '/';
  document.getElementById('docs').replaceChildren(make('p', [mend, home]));
}
