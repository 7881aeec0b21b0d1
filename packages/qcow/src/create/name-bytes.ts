import { DiskError } from '@diskstack/core';
import type { NamedFile } from './options.ts';

/** The bytes of a file name in the image. */
export function nameBytes({ name }: NamedFile): Uint8Array {
  const bytes = typeof name === 'string' ? utf8(name) : name;
  if (bytes.includes(0)) throw new DiskError('ERR_ARGUMENT', 'a file name with a NUL byte');
  return bytes;
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
