import { readFileSync } from 'node:fs';
import { DiskError, quote } from '@diskstack/core';

/** Node puts this character in place of bytes that are not UTF-8. A real name may have it, too. */
const REPLACEMENT = '\ufffd';

/**
 * Refuses arguments that are not UTF-8. Node has replaced their bytes, so the name is that of another file, and the command
 * would read or overwrite that one.
 */
export function refuseUndecodable(args: readonly string[]): void {
  const suspicious = args.find((arg) => arg.includes(REPLACEMENT));
  if (suspicious === undefined || isCommandLineUtf8()) return;
  throw new DiskError(
    'ERR_ARGUMENT',
    `the argument ${quote(suspicious)} is not UTF-8; a hard link with a name in UTF-8 leads to such a file`,
  );
}

function isCommandLineUtf8(): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(readFileSync('/proc/self/cmdline'));
    return true;
  } catch {
    return false; // not UTF-8, or unknown: the platform has no /proc
  }
}
