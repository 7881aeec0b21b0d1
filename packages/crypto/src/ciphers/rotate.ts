/** The 32 bits of a word, turned left by 0 to 31 places. */
export function rotateLeft(word: number, places: number): number {
  return (word << places) | (word >>> (32 - places));
}
