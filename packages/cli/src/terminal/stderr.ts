import { escapeUnsafe } from './safe-text.ts';

/** A line on stderr that is no error: a warning, or what `--debug` tells. */
export function say(message: string): void {
  process.stderr.write(`diskstack: ${escapeUnsafe(message)}\n`);
}
