import type { Host } from '@diskstack/core/node';

/** The abilities of this operating system. Loaded when a disk needs one first. */
export async function host(): Promise<Host> {
  const { openHost } = await import('@diskstack/host');
  return withoutExperimentalWarning(openHost);
}

/** A library that uses `node:ffi` leaves its warning to the program. Users of the command can do nothing about it. */
function withoutExperimentalWarning<T>(load: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}
