/** Gives that many random bytes, good enough for keys. */
export type RandomSource = (length: number) => Uint8Array;

/** What `getRandomValues` gives at a time. */
const MOST_AT_ONCE = 65_536;

/** Web Crypto's source: Node and browsers have it. */
export const platformRandom: RandomSource = (length) => {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += MOST_AT_ONCE)
    globalThis.crypto.getRandomValues(bytes.subarray(at, at + MOST_AT_ONCE));
  return bytes;
};
