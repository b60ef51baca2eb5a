/**
 * Writes rows into a Parquet file that appears only when it is whole: times as timestamps, prices and quantities as exact decimals.
 * It must hold no more than one row group in memory, and round nothing.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { atScale, parseScaled } from '@wickstream/shared/decimal';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { CsvCell } from './csv-file.ts';
import { UsageError } from './usage-error.ts';
import { writeWholeFile } from './whole-file.ts';

/** Rows of a row group, which is what is held in memory. */
export const ROW_GROUP_ROWS = 50_000;

/** Digits of a decimal: all that is accepted from outside fits, and it is the widest that readers know. */
export const DECIMAL_DIGITS = 38;

/** Those of them that are behind the point. */
export const DECIMAL_SCALE = 18;

/** What a column holds. Units: times are whole ms or µs since the epoch. */
export type ColumnKind = 'text' | 'integer' | 'boolean' | 'decimal' | 'ms' | 'us';

/** A column. */
export type ParquetColumn = { readonly name: string; readonly kind: ColumnKind };

const DECIMAL_BYTES = 16;
const DECIMAL_END = 10n ** BigInt(DECIMAL_DIGITS);
const INTEGERS = ['id', 'last_id', 'trades', 'total_trades', 'revision'];
const BOOLEANS = ['buyer_maker', 'closed', 'complete'];
const TEXTS = ['venue', 'symbol'];

/** The kind of an exported column, by its name. */
export function columnOf(name: string): ParquetColumn {
  if (name.endsWith('_us')) return { name, kind: 'us' };
  if (name.endsWith('_time')) return { name, kind: 'ms' };
  if (INTEGERS.includes(name)) return { name, kind: 'integer' };
  if (BOOLEANS.includes(name)) return { name, kind: 'boolean' };
  return { name, kind: TEXTS.includes(name) ? 'text' : 'decimal' };
}

/** Writes pieces of rows over a file of that name. Shape: returns the rows written. Errors: UsageError, also for a decimal that does not fit; those of `pieces`. */
export function writeParquet(
  path: string,
  columns: readonly ParquetColumn[],
  pieces: AsyncIterable<readonly (readonly CsvCell[])[]>,
): Promise<number> {
  return writeWholeFile(path, async (half, signal) => {
    const file = await open(half, 'w');
    try {
      return await writeGroups(file, columns, pieces, signal);
    } finally {
      await file.close();
    }
  });
}

async function writeGroups(
  file: FileHandle,
  columns: readonly ParquetColumn[],
  pieces: AsyncIterable<readonly (readonly CsvCell[])[]>,
  signal: AbortSignal,
): Promise<number> {
  const bytes = new ByteWriter();
  // The library's own file writer is synchronous; here what was encoded goes to the file after each row group.
  const flush = async (): Promise<void> => {
    await file.appendFile(bytes.getBytes());
    bytes.index = 0;
  };
  const writer = new ParquetWriter({ writer: bytes, schema: schemaOf(columns), createdBy: 'wickstream' });
  let group: (readonly CsvCell[])[] = [];
  let rows = 0;
  const writeGroup = async (): Promise<void> => {
    if (group.length === 0) return;
    const columnData = columns.map(({ name, kind }, i) => {
      return { name, data: group.map((row) => cellValue(row[i] ?? null, kind, name)) };
    });
    await writer.write({ columnData, rowGroupSize: ROW_GROUP_ROWS });
    await flush();
    rows += group.length;
    group = [];
  };
  for await (const piece of pieces) {
    signal.throwIfAborted();
    for (const row of piece) {
      group.push(row);
      if (group.length >= ROW_GROUP_ROWS) await writeGroup();
    }
  }
  await writeGroup();
  await writer.finish();
  await flush();
  await file.sync();
  return rows;
}

type Schema = ConstructorParameters<typeof ParquetWriter>[0]['schema'];

function schemaOf(columns: readonly ParquetColumn[]): Schema {
  return [{ name: 'rows', num_children: columns.length }, ...columns.map(elementOf)];
}

function elementOf({ name, kind }: ParquetColumn): Schema[number] {
  const common = { name, repetition_type: 'OPTIONAL' } as const;
  switch (kind) {
    case 'text':
      return { ...common, type: 'BYTE_ARRAY', converted_type: 'UTF8' };
    case 'integer':
      return { ...common, type: 'INT64' };
    case 'boolean':
      return { ...common, type: 'BOOLEAN' };
    case 'ms':
      return { ...common, type: 'INT64', converted_type: 'TIMESTAMP_MILLIS', logical_type: utc('MILLIS') };
    case 'us':
      return { ...common, type: 'INT64', converted_type: 'TIMESTAMP_MICROS', logical_type: utc('MICROS') };
    case 'decimal':
      return {
        ...common,
        ...{ type: 'FIXED_LEN_BYTE_ARRAY', type_length: DECIMAL_BYTES, converted_type: 'DECIMAL' },
        ...{ precision: DECIMAL_DIGITS, scale: DECIMAL_SCALE },
      };
  }
}

// The older form says nothing of UTC to some readers, which then give a local time.
function utc(unit: 'MILLIS' | 'MICROS') {
  return { type: 'TIMESTAMP', isAdjustedToUTC: true, unit } as const;
}

function cellValue(cell: CsvCell, kind: ColumnKind, name: string): string | boolean | bigint | null {
  if (cell === null) return null;
  if (kind === 'text') return String(cell);
  if (kind === 'boolean') return cell === true || cell === 'true';
  return kind === 'decimal' ? unscaled(String(cell), name) : BigInt(cell);
}

function unscaled(text: string, name: string): bigint {
  const number = parseScaled(text);
  const value = number.scale <= DECIMAL_SCALE ? atScale(number, DECIMAL_SCALE) : DECIMAL_END;
  if (value < DECIMAL_END && value > -DECIMAL_END) return value;
  throw new UsageError(
    `${name} ${text} does not fit a decimal of ${DECIMAL_DIGITS} digits, ${DECIMAL_SCALE} of them behind the point; export CSV.`,
  );
}
