/**
 * The error for a mistake of the person at the keyboard or of the machine: one sentence that names the mend.
 * It must not be used for a fault of this program, which keeps its stack.
 */

/** A failure that is told in one sentence, without a stack. Shape: `exitCode` is 1, or 2 for a wrong command. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly exitCode: number;

  constructor(message: string, exitCode = 1, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}
