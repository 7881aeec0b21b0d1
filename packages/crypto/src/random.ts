/** Returns `length` random bytes that are suitable for keys. */
export type RandomSource = (length: number) => Uint8Array;

/** The most bytes that one call of `getRandomValues` returns. */
const MAX_PER_CALL = 65_536;

/** Web Crypto `getRandomValues`, in Node and in browsers. */
export const platformRandom: RandomSource = (length) => {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += MAX_PER_CALL)
    globalThis.crypto.getRandomValues(bytes.subarray(at, at + MAX_PER_CALL));
  return bytes;
};
