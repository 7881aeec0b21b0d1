import { DiskError } from '@diskstack/core';
import { toSafeJson } from './safe-text.ts';

/** Whoever reads our output has closed it: no failure, only the end. */
export class PipeClosed extends Error {
  override readonly name = 'PipeClosed';
}

/**
 * Writes to stdout. Resolves when the bytes are taken, so output is never gathered in memory, and a buffer may be used
 * again.
 */
export async function print(output: string | Uint8Array): Promise<void> {
  const error = await new Promise<Error | null | undefined>((resolve) => {
    process.stdout.once('error', resolve); // without a listener the error would end the process
    process.stdout.write(output, (failure) => {
      if (failure) return resolve(failure);
      process.stdout.off('error', resolve);
      resolve(null);
    });
  });
  if (!error) return;
  process.stdout.on('error', () => {}); // it is told once more
  if ('code' in error && error.code === 'EPIPE') throw new PipeClosed();
  throw new DiskError('ERR_IO', `standard output: ${error.message}`, { cause: error });
}

let isAbandoned = false;

/** Gives up a write that its reader does not take: it would keep the process alive after the command has ended. */
export function abandonOutput(): void {
  isAbandoned = true;
}

export function isOutputAbandoned(): boolean {
  return isAbandoned;
}

/** Characters that are gathered into one write. */
const BATCH = 32 * 1024;

/** Prints many short texts as they come. */
export async function printAll(texts: AsyncIterable<string>): Promise<void> {
  let batch = '';
  for await (const text of texts) {
    batch += text;
    if (batch.length < BATCH) continue;
    await print(batch);
    batch = '';
  }
  await print(batch);
}

export function printJson(value: unknown): Promise<void> {
  return print(`${toSafeJson(value)}\n`);
}
