import { closeSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiskError, type DiskModule, MemoryDisk, quote, receiveDisk } from '@diskstack/core';
import { FileDisk } from '@diskstack/core/node';
import type { OpenFlags } from '../options/open-options.ts';
import { formatOf } from '../session/abilities.ts';
import { host } from '../session/host.ts';
import type { Session } from '../session/session.ts';
import { standardInput } from './standard-streams.ts';

/** Bytes of a stream that are probed. */
const HEAD = 64 * 1024;

/** Standard input as the bytes of a raw disk. Other formats need random access and are refused by their magic numbers. */
export async function rawInput(
  session: Session,
  flags: OpenFlags,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  if (flags.format !== undefined && flags.format !== 'raw')
    throw new DiskError(
      'ERR_UNSUPPORTED',
      `standard input is read as a raw disk; save ${quote(flags.format)} images to a file first`,
    );
  if (flags.snapshot !== undefined)
    throw new DiskError('ERR_UNSUPPORTED', 'standard input is read as a raw disk, which has no snapshots');
  const stream = standardInput(signal);
  const held: Uint8Array[] = [];
  const wanted = flags.format === 'raw' ? 1 : HEAD;
  let known = 0;
  try {
    while (known < wanted) {
      const { done, value } = await stream.next();
      if (done) break;
      held.push(value);
      known += value.length;
    }
    // The command that writes the pipe may have failed, or the descriptor is closed.
    if (known === 0)
      throw new DiskError('ERR_SHORT_READ', 'standard input is empty: there is no disk to read');
    if (flags.format === undefined)
      await refuseOtherFormats(session, Buffer.concat(held).subarray(0, HEAD), signal);
  } catch (error) {
    await stream.return(undefined);
    throw error;
  }
  return joined(held, stream);
}

async function* joined(
  held: readonly Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* held;
  yield* rest;
}

async function refuseOtherFormats(session: Session, head: Uint8Array, signal: AbortSignal): Promise<void> {
  let found: string;
  try {
    const memory = new MemoryDisk(head);
    await memory.init();
    await using disk = await session.disks.push(memory, { location: '-', metadataOnly: true, signal });
    found = formatOf(disk);
  } catch (error) {
    if (!(error instanceof DiskError) || error.code === 'ERR_ABORTED') throw error;
    const reason = `standard input is not a plain raw disk (${error.reason}); save it to a file first, or read it as raw with -f raw`;
    throw new DiskError('ERR_UNSUPPORTED', reason, { cause: error });
  }
  if (found === 'raw') return;
  throw new DiskError(
    'ERR_UNSUPPORTED',
    `standard input looks like ${found}; save it to a file first, or read it as raw with -f raw`,
  );
}

/** The bytes of a stream from `start` to `end`. Nothing is read after that. */
export async function* partOf(
  stream: AsyncIterable<Uint8Array>,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  let at = 0;
  if (start >= end) return;
  for await (const chunk of stream) {
    const part = chunk.subarray(Math.max(0, start - at), Math.max(0, end - at));
    at += chunk.length;
    if (part.length > 0) yield part;
    if (at >= end) return;
  }
}

/**
 * Stores a stream in a file without a name, and returns it as a disk. The file is in `folder`, or in the temporary folder. It
 * takes as much space as the stream has data.
 */
export async function spooled(
  stream: AsyncIterable<Uint8Array>,
  folder: string | undefined,
  signal: AbortSignal,
): Promise<DiskModule> {
  const file = await namelessFile(folder);
  try {
    await receiveDisk(stream, file, { targetIsZero: true, signal });
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function namelessFile(folder: string | undefined): Promise<FileDisk> {
  const name = `.diskstack-${process.pid}-${Date.now().toString(36)}.spool`;
  let path = join(folder ?? tmpdir(), name);
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch {
    path = join(tmpdir(), name);
    closeSync(openSync(path, 'wx', 0o600));
  }
  const file = new FileDisk(path, { writable: true, locking: 'off', host });
  try {
    await file.init();
  } finally {
    rmSync(path, { force: true });
  }
  return file;
}
