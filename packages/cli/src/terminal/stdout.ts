import { DiskError } from '@diskstack/core';
import { toSafeJson } from './safe-text.ts';

/** The reader of our output has closed it: no failure, only the end. */
export class PipeClosed extends Error {
  override readonly name = 'PipeClosed';
}

/**
 * Writes to stdout. Resolves when the bytes are taken, so output is never gathered in memory, and a buffer may be used
 * again.
 */
export async function print(output: string | Uint8Array): Promise<void> {
  const error = await new Promise<Error | null | undefined>((resolve) => {
    process.stdout.write(output, resolve);
  });
  if (!error) return;
  if ('code' in error && CLOSED.has(String(error.code))) throw new PipeClosed();
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

/** The reader has closed the pipe; and what Node says of every write after that. */
const CLOSED: ReadonlySet<string> = new Set(['EPIPE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END']);

/** Prints a message that is not the result of the command: without a reader the work goes on. */
export async function note(message: string): Promise<void> {
  try {
    await print(message);
  } catch (error) {
    if (!(error instanceof PipeClosed)) throw error;
  }
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
