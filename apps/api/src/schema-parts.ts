/**
 * Parts of schemas that several need: values that may be null, and texts out of a list.
 * It must hold no call's own schema.
 */
import { Type } from 'typebox';

/** A value that may be null, in the form that the serialiser writes fastest. */
export const nullable = <T>(type: string, description: string) =>
  Type.Unsafe<T | null>({ type: [type, 'null'], description });

/** One of some texts. */
export const enumOf = <T extends string>(values: readonly T[], description: string) =>
  Type.Unsafe<T>({ type: 'string', enum: [...values], description });
