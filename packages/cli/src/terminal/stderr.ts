import { escapeUnsafe } from './safe-text.ts';

/** Prints a line on stderr that is not an error: a warning, or a message of `--debug`. */
export function say(message: string): void {
  process.stderr.write(`diskstack: ${escapeUnsafe(message)}\n`);
}
