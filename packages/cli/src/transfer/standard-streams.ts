import { fstatSync, type Stats, statSync } from 'node:fs';
import { DiskError, type SequentialSink } from '@diskstack/core';
import { untilAborted } from '@diskstack/core/format';
import { abandonOutput, PipeClosed, print } from '../terminal/stdout.ts';

/** Exit status of a process that SIGPIPE ends: 128 plus the number of the signal. */
const PIPE_CLOSED = 141;

/** `-`, or a path that leads to a stream of this process: `/dev/stdin` of a pipe. */
export function isStandardInput(path: string): boolean {
  return path === '-' || isStream(path, 0);
}

/** The same of standard output. */
export function isStandardOutput(path: string): boolean {
  return path === '-' || isStream(path, 1);
}

function isStream(path: string, fd: number): boolean {
  if (!path.startsWith('/')) return false;
  const [named, own] = [statsOf(() => statSync(path)), statsOf(() => fstatSync(fd))];
  if (named === undefined || own === undefined || named.isFile() || named.isBlockDevice()) return false;
  return named.dev === own.dev && named.ino === own.ino;
}

function statsOf(look: () => Stats): Stats | undefined {
  try {
    return look();
  } catch {
    return undefined; // the path leads nowhere, or the stream is closed
  }
}

/** The bytes of standard input. The signal ends the wait for them. */
export async function* standardInput(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const chunks = (process.stdin as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await untilAborted(chunks.next(), signal);
      if (done) return;
      yield value;
    }
  } catch (error) {
    if (error instanceof DiskError || !(error instanceof Error)) throw error;
    throw new DiskError('ERR_IO', `standard input: ${error.message}`, { cause: error });
  } finally {
    process.stdin.destroy(); // an open stdin keeps the process alive
  }
}

/**
 * Runs work that writes to standard output. If the reader closes it, the command ends without a message, with the exit
 * status that other tools have in that case.
 */
export async function withStandardOutput(
  signal: AbortSignal,
  work: (sink: SequentialSink) => Promise<void>,
): Promise<void> {
  if (process.stdout.isTTY)
    throw new DiskError('ERR_ARGUMENT', 'standard output is a terminal; raw disks are not written to it');
  try {
    await work({ write: (bytes) => untilAborted(print(bytes), signal) });
  } catch (error) {
    if (error instanceof PipeClosed) process.exitCode = PIPE_CLOSED;
    if (signal.aborted) abandonOutput();
    throw error;
  }
}
