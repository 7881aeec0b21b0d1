/** Rotates a 32-bit word left by 0 to 31 bits. */
export function rotateLeft(word: number, places: number): number {
  return (word << places) | (word >>> (32 - places));
}
