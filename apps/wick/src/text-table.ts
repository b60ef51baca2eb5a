/**
 * Lays rows out as a table of plain text.
 * It must be pure, and must let nothing in a cell move the terminal.
 */

const CELL_MAX = 100;

/** A table with its header. Limits: a cell is cut at 100 characters; control characters are shown as a dot. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows].map((row) => row.map(plain));
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function plain(cell: string): string {
  const shown = cell.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '·');
  return shown.length > CELL_MAX ? `${shown.slice(0, CELL_MAX - 1)}…` : shown;
}
