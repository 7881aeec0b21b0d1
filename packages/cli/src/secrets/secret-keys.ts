import { promises as fs } from 'node:fs';
import { DiskError, type KeyProvider, quote } from '@diskstack/core';

/** Bytes of the longest key, as cryptsetup limits key files. A longer file is a mistake, or has no end. */
const MAX_SECRET_BYTES = 8 * 1024 * 1024;
const LINE_FEED = 0x0a;

/**
 * The key that `--secret` names, for every encrypted image. It is read once, before any image is opened: a file may be a
 * pipe. No message quotes the key, nor a value without `file=` or `env=`: that may be the key.
 */
export async function keysFrom(declared: readonly string[] = []): Promise<KeyProvider | undefined> {
  const [source, second] = declared;
  if (source === undefined) return undefined;
  if (second !== undefined)
    throw new DiskError('ERR_ARGUMENT', '--secret is given twice; one key serves every image of a chain');
  const [, kind, where = ''] = /^(file|env)=(.+)$/s.exec(source) ?? [];
  if (kind === undefined)
    throw new DiskError('ERR_ARGUMENT', '--secret takes file=PATH or env=NAME, never the key itself');
  const key = kind === 'file' ? await fromFile(where) : fromEnvironment(where);
  return { keyFor: async () => key };
}

function fromEnvironment(name: string): Uint8Array {
  const value = process.env[name];
  if (value === undefined)
    throw new DiskError(
      'ERR_ARGUMENT',
      '--secret env=NAME names a variable that the environment does not have',
    );
  return Buffer.from(value);
}

async function fromFile(path: string): Promise<Uint8Array> {
  const bytes = await readSecretFile(path);
  return bytes.at(-1) === LINE_FEED ? bytes.subarray(0, -1) : bytes;
}

/** Reads a secret from a file. */
export async function readSecretFile(path: string): Promise<Uint8Array> {
  let file: fs.FileHandle | undefined;
  try {
    file = await fs.open(path);
    return await readToEnd(file, path);
  } catch (error) {
    throw asDiskError(error, path);
  } finally {
    await file?.close();
  }
}

/** Reads to the end of the file, whatever its size: pipes have none. */
async function readToEnd(file: fs.FileHandle, path: string): Promise<Uint8Array> {
  const buffer = new Uint8Array(MAX_SECRET_BYTES + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) return buffer.subarray(0, length);
    length += bytesRead;
  }
  throw new DiskError(
    'ERR_LIMIT',
    `the secret file ${quote(path)} is longer than ${MAX_SECRET_BYTES} bytes, no key is`,
  );
}

function asDiskError(error: unknown, path: string): unknown {
  if (error instanceof DiskError || !(error instanceof Error)) return error;
  const errno = 'code' in error ? String(error.code) : '';
  const isMissing = errno === 'ENOENT' || errno === 'ENOTDIR';
  if (isMissing) return new DiskError('ERR_NOT_FOUND', `no secret file ${quote(path)}`, { cause: error });
  return new DiskError('ERR_IO', `the secret file ${quote(path)} cannot be read: ${errno || error.message}`, {
    cause: error,
  });
}
