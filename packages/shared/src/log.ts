/**
 * The log of an app: JSON lines on standard output, secrets removed.
 * It must never see a password or key that is not redacted.
 */
import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

const SECRET_PATHS = [
  'password',
  '*.password',
  'authorization',
  '*.authorization',
  'headers.authorization',
  'apiKey',
  '*.apiKey',
  // A Redis error carries its command, and the command of a refused login its password.
  'err.command.args',
  'err.lastNodeError.command.args',
  'err.previousErrors',
];

/** A logger that names its app on every line. Errors: none; an unknown level falls back to info. */
export function createLogger(app: string, level: string): Logger {
  const known = level in pino.levels.values || level === 'silent';
  return pino({
    level: known ? level : 'info',
    base: { app },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: SECRET_PATHS, censor: '[redacted]' },
  });
}

/** A connection URL without its password, for logs and messages. */
export function redactUrl(url: string): string {
  return url.replace(/\/\/([^:@/]*):[^@/]*@/, '//$1:***@');
}
