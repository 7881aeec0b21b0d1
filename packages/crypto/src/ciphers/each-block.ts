import type { BlockCipher } from '@diskstack/core';

/** Takes the block at a byte and puts what becomes of it at the same place. */
export type BlockTransform = (from: DataView, into: DataView, at: number) => void;

/** A cipher of whole buffers, from what it does to one block. */
export function eachBlock(
  blockBytes: number,
  encryptBlock: BlockTransform,
  decryptBlock: BlockTransform,
): BlockCipher {
  const through = (transform: BlockTransform, bytes: Uint8Array): Uint8Array => {
    const result = new Uint8Array(bytes.length);
    const from = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const into = new DataView(result.buffer);
    for (let at = 0; at < bytes.length; at += blockBytes) transform(from, into, at);
    return result;
  };
  return {
    blockBytes,
    encrypt: (bytes) => through(encryptBlock, bytes),
    decrypt: (bytes) => through(decryptBlock, bytes),
  };
}
