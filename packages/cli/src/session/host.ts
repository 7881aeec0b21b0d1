import type { Host } from '@diskstack/core/node';

/** The abilities of this operating system. Loaded when a disk needs one first. */
export async function host(): Promise<Host> {
  const { openHost } = await import('@diskstack/host');
  return withoutWarnings(openHost); // it loads node:ffi before it returns its promise
}

/** Node warns on stderr that `node:ffi` is experimental. Users of the command can do nothing about it. */
function withoutWarnings<T>(work: () => T): T {
  const warn = Object.getOwnPropertyDescriptor(process, 'emitWarning') ?? {};
  Object.defineProperty(process, 'emitWarning', { ...warn, value: () => {} });
  try {
    return work();
  } finally {
    Object.defineProperty(process, 'emitWarning', warn);
  }
}
