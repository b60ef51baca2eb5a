/**
 * PostgreSQL's own text form of an array, for parameters that travel as text.
 * It must not ask the database for types: a driver that fetches them dies with a connection that breaks in that moment.
 */

/** An array of texts or numbers as PostgreSQL reads it after `::text::text[]`, `::text::bigint[]` and the like; in what is computed for each row behind `(select …)`, or it is read again for each. Source: PostgreSQL, Array Input and Output Syntax. */
export function arrayText(values: readonly (string | number)[]): string {
  return `{${values.map((value) => (typeof value === 'number' ? value : quotedElement(value))).join(',')}}`;
}

/** A text as an element of an array's text form. */
export function quotedElement(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
