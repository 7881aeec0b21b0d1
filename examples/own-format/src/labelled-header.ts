import { DiskError } from '@diskstack/core';
import { bytes, offset64, struct } from '@diskstack/core/format';

/** An image is one sector with a label, followed by the bytes of the disk. */
export const MAGIC = [...'LABELLED'].map((char) => char.charCodeAt(0));
export const HEADER = struct('little', { magic: bytes(8), size: offset64, label: bytes(32) });
export const SECTOR = 512;

export function encodeHeader(size: number, label = ''): Uint8Array {
  const text = new TextEncoder().encode(label);
  if (text.length > 32)
    throw new DiskError('ERR_ARGUMENT', `the label has ${text.length} bytes, at most 32 are possible`);
  const padded = new Uint8Array(32);
  padded.set(text);
  return HEADER.encode({ magic: Uint8Array.from(MAGIC), size, label: padded });
}
