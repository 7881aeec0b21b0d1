/** Reproducible content: everything follows from a seed, so that a failure can be repeated. */

/** Whole numbers from 0 to `below - 1`. */
export type Random = (below: number) => number;

/** Mulberry32. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Bytes that cannot be compressed. */
export function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const next = random(seed);
  const bytes = new Uint8Array(length);
  const words = new Uint32Array(bytes.buffer, 0, length >>> 2);
  for (let index = 0; index < words.length; index++) words[index] = next(2 ** 32);
  for (let index = words.length * 4; index < length; index++) bytes[index] = next(256);
  return bytes;
}

/** Bytes that compress to about a third, never all zero in any 64 of them, and differ everywhere. */
export function text(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const next = random(seed);
  const words = Array.from({ length: 40 }, () => String(next(1_000_000)));
  const parts: string[] = [];
  for (let done = 0; done < length; ) {
    const word = `${words[next(words.length)]} `;
    parts.push(word);
    done += word.length;
  }
  return new TextEncoder().encode(parts.join('')).slice(0, length);
}
