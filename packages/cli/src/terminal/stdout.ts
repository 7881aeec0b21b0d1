import { DiskError } from '@diskstack/core';
import { toSafeJson } from './safe-text.ts';

/** The reader of stdout has closed it. The command ends, without an error. */
export class PipeClosed extends Error {
  override readonly name = 'PipeClosed';
}

/**
 * Writes to stdout. Resolves when the bytes are written, so that output does not pile up in memory and a buffer can be
 * reused.
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

/** Gives up a pending write whose reader does not read: it would keep the process alive after the command has ended. */
export function abandonOutput(): void {
  isAbandoned = true;
}

export function isOutputAbandoned(): boolean {
  return isAbandoned;
}

/** Error codes of a write to a closed pipe, and of every write after that. */
const CLOSED: ReadonlySet<string> = new Set(['EPIPE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END']);

/** Prints a message that is not the result of the command. Without a reader the work continues. */
export async function note(message: string): Promise<void> {
  try {
    await print(message);
  } catch (error) {
    if (!(error instanceof PipeClosed)) throw error;
  }
}

/** Characters of one write. */
const BATCH = 32 * 1024;

/** Prints many short texts, in few writes. */
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
