/**
 * The client's types against the api's schemas: what the api answers is what the client says it gets.
 * It is held by the compiler; what runs here compares the fields by name, so that none is forgotten on either side.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as client from '@wickstream/client/answers';
import type { Static, TSchema } from 'typebox';
import { describe, expect, expectTypeOf, test } from 'vitest';
import type {
  CandlesAnswer,
  CandlesQueryType,
  CoverageAnswer,
  QuotesAnswer,
  SymbolsAnswer,
  TickersAnswer,
  TickersQueryType,
  TicksQueryType,
  TradesAnswer,
} from '../src/schemas.ts';
import * as schemas from '../src/schemas.ts';
import type { StatusType } from '../src/status-schema.ts';
import { StatusAnswer } from '../src/status-schema.ts';

const source = readFileSync(createRequire(import.meta.url).resolve('@wickstream/client/answers'), 'utf8');

describe('the client’s types', () => {
  test('take every answer of the api', () => {
    expectTypeOf<Static<typeof TradesAnswer>>().toExtend<client.TradesPage>();
    expectTypeOf<Static<typeof QuotesAnswer>>().toExtend<client.QuotesPage>();
    expectTypeOf<Static<typeof TickersAnswer>>().toExtend<client.TickersPage>();
    expectTypeOf<Static<typeof SymbolsAnswer>>().toExtend<client.SymbolsAnswer>();
    expectTypeOf<Static<typeof CoverageAnswer>>().toExtend<client.CoverageAnswer>();
    expectTypeOf<NonNullable<Static<typeof CandlesAnswer>['results']>[number]>().toExtend<client.CandlesAnswer>();
    expectTypeOf<StatusType>().toExtend<client.StatusAnswer>();
  });

  test('ask nothing that the api does not take', () => {
    expectTypeOf<keyof client.CandlesQuestion>().toEqualTypeOf<keyof CandlesQueryType>();
    expectTypeOf<keyof client.TicksQuestion>().toEqualTypeOf<keyof TicksQueryType>();
    expectTypeOf<keyof client.TickersQuestion>().toEqualTypeOf<keyof TickersQueryType>();
  });

  test.each([
    ['trades', schemas.TradesAnswer],
    ['quotes', schemas.QuotesAnswer],
    ['tickers', schemas.TickersAnswer],
    ['candles', schemas.CandlesAnswer],
    ['symbols', schemas.SymbolsAnswer],
    ['coverage', schemas.CoverageAnswer],
    ['status', StatusAnswer],
  ])('name every field of %s', (_, schema) => {
    const missing = fieldsOf(schema).filter((field) => !new RegExp(`readonly ${field}\\??:`).test(source));
    expect(missing.filter((field) => field !== 'results')).toEqual([]);
  });
});

function fieldsOf(schema: TSchema): string[] {
  const {
    properties = {},
    items,
    anyOf = [],
  } = schema as {
    properties?: Record<string, TSchema>;
    items?: TSchema;
    anyOf?: TSchema[];
  };
  const inner = [...Object.values(properties), ...anyOf, ...(items === undefined ? [] : [items])];
  return [...Object.keys(properties), ...inner.flatMap(fieldsOf)];
}
