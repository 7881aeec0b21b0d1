import type { DecompressNow } from '../contracts/codec.ts';

/** RFC 8878, 3.1.1: magic number of a Zstandard frame, little-endian. */
const FRAME_MAGIC = 0xfd2fb528;
/** RFC 8878, 3.1.2: magic numbers 0x184D2A50 to 0x184D2A5F are skippable frames. */
const SKIPPABLE_MAGIC = 0x184d2a50;
/** Maximum frames per cluster. Each costs a decoder, and an empty one takes only 9 bytes. Writers make one or a few. */
const MAX_FRAMES = 256;
/** RFC 8878, 3.1.1.2.4: the largest decompressed block. */
const MAX_BLOCK_BYTES = 128 * 1024;

/**
 * Decompresses one whole frame into the start of `into`. Returns the number of decompressed bytes. A frame with more content than
 * `into` has room for throws or is truncated.
 */
export type DecodeFrame = (frame: Uint8Array, into: Uint8Array) => number;

/**
 * Makes a Zstandard decompressor from a decoder of single frames. A cluster consists of one or more frames (some may be
 * skippable) and padding. Decoders refuse the padding, so each frame is cut out first. The window and content sizes in frame
 * headers are checked or replaced before the decoder sees them, so that memory use depends only on the cluster size.
 */
export function zstdBy(decodeFrame: DecodeFrame): DecompressNow {
  return (stored, into) => {
    let position = 0;
    let done = 0;
    let frames = 0;
    while (done < into.length) {
      const view = new DataView(stored.buffer, stored.byteOffset + position, stored.length - position);
      if (view.byteLength < 8) throw new Error(`the frames end after ${done} bytes`);
      const magic = view.getUint32(0, true);
      if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
        position += 8 + view.getUint32(4, true);
        if (position > stored.length) throw new Error('a skippable frame ends past the cluster');
        continue;
      }
      if (magic !== FRAME_MAGIC) throw new Error('not a Zstandard frame');
      if (++frames > MAX_FRAMES) throw new Error(`more than ${MAX_FRAMES} frames in a cluster`);
      const frame = stored.subarray(position, position + frameLength(view));
      const declared = declaredContentSize(frame);
      if (declared !== undefined && declared > into.length - done) {
        throw new Error(`a frame declares ${declared} bytes, the cluster has room for ${into.length - done}`);
      }
      position += frame.length;
      if (isEmpty(frame)) continue;
      const length = decodeFrame(withSmallWindow(frame, into.length), into.subarray(done));
      if (declared !== undefined && length !== declared) {
        throw new Error(`a frame declares ${declared} bytes and holds ${length}`);
      }
      done += length;
    }
    return undefined;
  };
}

/** RFC 8878, 3.1.1: length of the frame at the start of the view: header, blocks and checksum. */
function frameLength(view: DataView): number {
  const descriptor = view.getUint8(4);
  let at = 5 + headerFieldBytes(descriptor);
  for (let last = false; !last; ) {
    if (at + 3 > view.byteLength) throw new Error('a frame ends past the cluster');
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    last = (header & 1) === 1;
    const isRle = ((header >> 1) & 3) === 1;
    at += 3 + (isRle ? 1 : header >> 3);
  }
  if (hasChecksum(descriptor)) at += 4;
  if (at > view.byteLength) throw new Error('a frame ends past the cluster');
  return at;
}

/** Returns whether the frame is one empty block. Decoders may report such a frame in the same way as a broken one. */
function isEmpty(frame: Uint8Array): boolean {
  const descriptor = frame[4] ?? 0;
  return frame.length === 5 + headerFieldBytes(descriptor) + 3 + (hasChecksum(descriptor) ? 4 : 0);
}

/** RFC 8878, 3.1.1.1: bytes of window descriptor, dictionary id and content size, from the frame header descriptor. */
function headerFieldBytes(descriptor: number): number {
  const window = isSingleSegment(descriptor) ? 0 : 1;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  return window + dictionary + contentSizeBytes(descriptor);
}

function contentSizeBytes(descriptor: number): number {
  return [isSingleSegment(descriptor) ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
}

function isSingleSegment(descriptor: number): boolean {
  return (descriptor & 0x20) !== 0;
}

function hasChecksum(descriptor: number): boolean {
  return (descriptor & 0x04) !== 0;
}

/**
 * Returns the frame with a window no larger than its possible content: no match can reach further back. In a single-segment frame
 * the window is the content size, which the caller has already checked against the cluster.
 */
function withSmallWindow(frame: Uint8Array, maxBytes: number): Uint8Array {
  const descriptor = frame[4] ?? 0;
  if (isSingleSegment(descriptor)) return frame;
  const exponent = Math.ceil(Math.log2(Math.max(maxBytes, MAX_BLOCK_BYTES)));
  const smallWindow = (exponent - 10) << 3;
  if ((frame[5] ?? 0) <= smallWindow) return frame;
  const copy = new Uint8Array(frame);
  copy[5] = smallWindow;
  return copy;
}

/** RFC 8878, 3.1.1.1.4. `undefined` if the frame declares no content size. */
function declaredContentSize(frame: Uint8Array): number | undefined {
  const descriptor = frame[4] ?? 0;
  const bytes = contentSizeBytes(descriptor);
  const at = 5 + headerFieldBytes(descriptor) - bytes;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (bytes === 0 || at + bytes > frame.length) return undefined;
  if (bytes === 1) return view.getUint8(at);
  if (bytes === 2) return view.getUint16(at, true) + 256;
  if (bytes === 4) return view.getUint32(at, true);
  return Number(view.getBigUint64(at, true));
}
