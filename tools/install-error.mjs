/**
 * The one error that the bootstrap prints without a stack.
 * It must stay free of imports: every part of the bootstrap throws it.
 */

/** What is needed could not be installed; the message ends with the mend. */
export class InstallError extends Error {}
