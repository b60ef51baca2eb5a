/**
 * The errors that clients of the api see, and how anything that is thrown becomes one of them.
 * It must never let an internal message or a secret through.
 */
import type { FastifyError } from 'fastify';

/** Every code that an error body may carry. Order: alphabetical. */
export const ERROR_CODES = [
  'body_too_large',
  'database_unavailable',
  'forbidden',
  'internal',
  'invalid_parameter',
  'not_found',
  'not_ready',
  'query_too_slow',
  'range_too_large',
  'too_many_requests',
  'unauthorized',
  'unknown_symbol',
  'upgrade_required',
  'upstream_unavailable',
] as const;

/** One of ERROR_CODES. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** The body of every error answer. */
export type ErrorBody = {
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly param?: string };
};

/** An error that a client is told. Shape: `retryAfterS` becomes the header Retry-After. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: ErrorCode;
  readonly param: string | undefined;
  readonly retryAfterS: number | undefined;
  constructor(status: number, code: ErrorCode, message: string, more: { param?: string; retryAfterS?: number } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = more.param;
    this.retryAfterS = more.retryAfterS;
  }
}

/** A parameter that cannot be used; the message says the mend. */
export function invalidParameter(param: string, message: string): ApiError {
  return new ApiError(400, 'invalid_parameter', message, { param });
}

/** The body of an error. */
export function bodyOf(error: ApiError): ErrorBody {
  const { code, message, param } = error;
  return { error: param === undefined ? { code, message } : { code, message, param } };
}

/** The client's form of anything thrown. Errors: none; what is not known becomes `internal` without its message. */
export function apiErrorOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const known = (typeof error === 'object' && error !== null ? error : {}) as Partial<FastifyError>;
  if (known.validation !== undefined) return validationError(known as FastifyError);
  if (known.statusCode === 413) {
    return new ApiError(413, 'body_too_large', 'the request body is too large; no call of this api needs one');
  }
  const status = known.statusCode ?? 500;
  if (status >= 400 && status < 500) {
    return new ApiError(400, 'invalid_parameter', `the request is malformed (${known.code ?? status}); see /docs`);
  }
  return new ApiError(500, 'internal', 'something failed here; it is logged, please try again');
}

type VerboseViolation = NonNullable<FastifyError['validation']>[number] & {
  readonly parentSchema?: { readonly description?: string };
};

function validationError(error: FastifyError): ApiError {
  const violation = error.validation?.[0] as VerboseViolation | undefined;
  const { additionalProperty, missingProperty } = (violation?.params ?? {}) as Record<string, string | undefined>;
  const param = (additionalProperty ?? missingProperty ?? violation?.instancePath.slice(1) ?? '').slice(0, 60);
  if (additionalProperty !== undefined) {
    return invalidParameter(param, `${param} is not a parameter of this call; leave it out or see /docs`);
  }
  if (missingProperty !== undefined) return invalidParameter(param, `${param} is missing; add it, see /docs`);
  const meaning = violation?.parentSchema?.description;
  const mend = meaning === undefined ? 'see /docs' : `${param} is ${meaning}`;
  return invalidParameter(param, `${param} ${violation?.message ?? 'is not valid'}; ${mend}`);
}
