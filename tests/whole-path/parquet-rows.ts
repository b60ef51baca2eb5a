/**
 * Reads a Parquet file as rows of texts, with the decimals' own digits, for tests that compare it with a CSV.
 * It must use a library other than the one that wrote it, and none of its floating-point conversions.
 */
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';

/** All rows of a file. Shape: null is the empty text; decimals without needless zeros. */
export async function readParquet(path: string): Promise<Record<string, string>[]> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const scales = new Map<string, number>();
  for (const element of metadata.schema) {
    if (element.converted_type === 'DECIMAL') scales.set(element.name, element.scale ?? 0);
  }
  // The reader would make floats of decimals: without the type it hands out their bytes.
  const schema = metadata.schema.map((element) => {
    const { converted_type: converted, logical_type: _, ...bare } = element;
    return converted === 'UTF8' ? element : bare;
  });
  const rows = await parquetReadObjects({ file, metadata: { ...metadata, schema } });
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, textOf(value, scales.get(name))])),
  );
}

function textOf(value: unknown, scale: number | undefined): string {
  if (value === null || value === undefined) return '';
  if (scale === undefined) return String(value);
  const bytes = value as Uint8Array;
  const negative = ((bytes[0] ?? 0) & 0x80) !== 0;
  const unsigned = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  const digits = String(negative ? (1n << BigInt(8 * bytes.length)) - unsigned : unsigned).padStart(scale + 1, '0');
  const text = `${digits.slice(0, -scale)}.${digits.slice(-scale)}`.replace(/\.?0+$/, '');
  return negative ? `-${text}` : text;
}
