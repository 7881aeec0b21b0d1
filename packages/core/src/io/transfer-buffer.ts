/** Bytes by which such a buffer begins later than its memory. */
const SHIFT = 48;

/**
 * A buffer that large reads go into, to be used again and again.
 *
 * Large memory begins 16 bytes into a page, behind the note that the allocator keeps there. A kernel that copies whole
 * pages to such a place takes half as long again on processors of AMD: source and destination are then less than 32 bytes
 * apart within their pages. `SHIFT` bytes later is the next line of the processor's cache.
 */
export function transferBuffer(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(bytes + SHIFT), SHIFT, bytes);
}
