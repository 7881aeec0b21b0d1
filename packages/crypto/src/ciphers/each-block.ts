import type { BlockCipher } from '@diskstack/core/format';

/** Transforms the block at byte `at` of `from`, and writes it to the same byte of `into`. */
export type BlockTransform = (from: DataView, into: DataView, at: number) => void;

/** Makes a cipher for whole buffers from the transforms of one block. */
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
