/**
 * Makes requests from described operations: valid, boundary and garbage parameters, the same ones for the same seed.
 * It must know nothing but the description and the examples that it is given.
 */

/** A parameter as described. */
export type Parameter = {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: {
    readonly type?: string;
    readonly enum?: readonly string[];
    readonly minimum?: number;
    readonly maximum?: number;
    readonly minLength?: number;
    readonly maxLength?: number;
  };
};

/** An operation as described, with its place. */
export type Operation = {
  readonly path: string;
  readonly method: string;
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: Record<string, unknown> }>> }>
  >;
};

/** A request to send. */
export type Asked = { readonly operation: Operation; readonly url: string };

/** Numbers in [0, 1). */
export type Random = () => number;

type Examples = Readonly<Record<string, readonly string[]>>;

const GARBAGE = [
  ...['', ' ', '0', '-1', '1.5', '1e3', 'NaN', 'Infinity', '0x10', '٣', '9007199254740993', '99999999999999999999'],
  ...[
    "'; drop table trades; --",
    '$1',
    '{}',
    '[]',
    '["BTCUSDT"',
    'null',
    'true',
    '\u0000',
    '\ud83d\ude00',
    '%',
    '../..',
  ],
  ...['5M', '1s', '0m', '7x', '1000000h', '-5m', 'BTCUSDT,ETHUSDT', ',', 'btcusdt', '测试币', 'x'.repeat(3_000)],
];

/** Creates seeded numbers (splitmix). */
export function createSeeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 4294967296;
  };
}

/** The requests of an operation: one with what is required alone, then `rounds` drawn ones. Order: as drawn. */
export function askedOf(operation: Operation, examples: Examples, random: Random, rounds: number): Asked[] {
  const parameters = (operation.parameters ?? []).filter((one) => one.in === 'query');
  const urls = [
    urlOf(
      operation,
      parameters.filter(({ required }) => required).map((one) => [one.name, valid(one, examples, random)]),
    ),
  ];
  for (let round = 0; round < rounds; round++) urls.push(urlOf(operation, draw(parameters, examples, random)));
  return [...new Set(urls)].map((url) => ({ operation, url }));
}

function draw(parameters: readonly Parameter[], examples: Examples, random: Random): [string, string][] {
  // In most requests one parameter is spoilt, so that what is behind the others is reached.
  const spoilt = random() < 0.25 ? -1 : Math.floor(random() * parameters.length);
  const pairs: [string, string][] = [];
  parameters.forEach((one, i) => {
    const isLeftOut = random() < (one.required ? 0.04 : 0.5);
    if (i === spoilt) pairs.push([one.name, random() < 0.5 ? boundary(one, random) : pick(GARBAGE, random)]);
    else if (!isLeftOut) pairs.push([one.name, valid(one, examples, random)]);
    if (random() < 0.03) pairs.push([one.name, valid(one, examples, random)]);
  });
  if (random() < 0.05) pairs.push([pick(['__proto__', 'nobody', 'constructor', 'limit[]'], random), '1']);
  return pairs;
}

function valid({ name, schema }: Parameter, examples: Examples, random: Random): string {
  if (schema.enum !== undefined) return pick(schema.enum, random);
  const fits = (text: string) => schema.maximum === undefined || Number(text) <= schema.maximum;
  const known = (examples[name] ?? []).filter(fits);
  if (known.length > 0) return pick(known, random);
  if (schema.type !== 'integer') return 'a';
  const [low, high] = [schema.minimum ?? 1, Math.min(schema.maximum ?? 1000, 1000)];
  return String(low + Math.floor(random() * (high - low + 1)));
}

function boundary({ schema }: Parameter, random: Random): string {
  const { minimum, maximum, minLength, maxLength } = schema;
  const numbers = [minimum, maximum].flatMap((edge) => (edge === undefined ? [] : [edge - 1, edge, edge + 1]));
  const lengths = [minLength, maxLength].flatMap((edge) => (edge === undefined ? [] : [edge - 1, edge, edge + 1]));
  const texts = lengths.filter((length) => length >= 0).map((length) => 'A'.repeat(length));
  return pick(
    [...numbers.map(String), ...texts, ...(numbers.length + texts.length === 0 ? ['1000', '1001', '0'] : [])],
    random,
  );
}

function urlOf({ path }: Operation, pairs: readonly (readonly [string, string])[]): string {
  const query = new URLSearchParams(pairs.map(([name, value]) => [name, value])).toString();
  return query === '' ? path : `${path}?${query}`;
}

function pick<T>(values: readonly T[], random: Random): T {
  return values[Math.floor(random() * values.length)] as T;
}
