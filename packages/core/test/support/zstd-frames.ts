/** Zstandard frames by hand (RFC 8878), for what no compressor would write. */

export const MAGIC = [0x28, 0xb5, 0x2f, 0xfd] as const;

export interface FrameOptions {
  /** Window descriptor; without one the frame is a single segment. */
  readonly window?: number;
  /** Content size as declared: 1 byte in a single segment, 8 bytes behind a window. */
  readonly contentSize?: number;
}

/** A frame of these blocks. The last block has to say that it is the last. */
export function frame(options: FrameOptions, ...blocks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return join(Uint8Array.from([...MAGIC, ...frameHeader(options)]), ...blocks);
}

function frameHeader({ window, contentSize }: FrameOptions): number[] {
  if (window === undefined) return [0x20, contentSize ?? 0];
  if (contentSize === undefined) return [0x00, window];
  const size = new Uint8Array(8);
  new DataView(size.buffer).setBigUint64(0, BigInt(contentSize), true);
  return [0xc0, window, ...size];
}

/** The same block over and over. */
export function repeated(block: Uint8Array, count: number): Uint8Array<ArrayBuffer> {
  const blocks = new Uint8Array(block.length * count);
  for (let index = 0; index < count; index++) blocks.set(block, index * block.length);
  return blocks;
}

/** The window descriptor of a power of two, as large as the exponent says: 10 is 1 KiB. */
export function windowOf(exponent: number): number {
  return (exponent - 10) << 3;
}

export function rawBlock(bytes: Uint8Array, last = false): Uint8Array {
  return join(blockHeader(0, bytes.length, last), bytes);
}

export function rleBlock(byte: number, length: number, last = false): Uint8Array {
  return join(blockHeader(1, length, last), Uint8Array.of(byte));
}

export function compressedBlock(body: readonly number[], last = false): Uint8Array {
  return join(blockHeader(2, body.length, last), Uint8Array.from(body));
}

function blockHeader(type: number, size: number, last: boolean): Uint8Array {
  const header = (size << 3) | (type << 1) | (last ? 1 : 0);
  return Uint8Array.of(header & 0xff, (header >> 8) & 0xff, header >> 16);
}

/** A frame that decoders skip. `variant` is 0 to 15. */
export function skippableFrame(bytes: number, variant = 0, declared: number = bytes): Uint8Array {
  const skipped = new Uint8Array(8 + bytes).fill(0x99, 8);
  const view = new DataView(skipped.buffer);
  view.setUint32(0, 0x184d2a50 + variant, true);
  view.setUint32(4, declared, true);
  return skipped;
}

export function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
