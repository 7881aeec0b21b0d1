/** Numbers from 0 to `below - 1` that are the same in every run. */
export function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Bytes that compress: new ones, runs, and copies from near and far. */
export function compressible(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const next = numbers(seed);
  for (let at = 0; at < length; ) {
    const end = Math.min(length, at + 1 + next(400));
    const choice = next(4);
    if (choice === 0 || at === 0) while (at < end) bytes[at++] = next(256);
    else if (choice === 1) bytes.fill(next(256), at, end);
    else if (choice === 2) while (at < end) bytes[at++] = 97 + next(8);
    else
      for (const from = next(at), start = at; at < end; at++)
        bytes[at] = bytes[from + ((at - start) % (start - from))] ?? 0;
    at = end;
  }
  return bytes;
}

/** Bytes that do not compress. */
export function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const next = numbers(seed);
  return Uint8Array.from({ length }, () => next(256));
}

/** The same bytes with a few of them changed, cut off, moved or repeated. */
export function mutated(bytes: Uint8Array, next: (below: number) => number): Uint8Array<ArrayBuffer> {
  let changed = new Uint8Array(bytes); // a copy also of a Buffer, whose slice() is none
  for (let count = 1 + next(4); count > 0; count--) {
    const at = next(changed.length);
    const length = Math.min(next(16), changed.length - at);
    const choice = next(6);
    if (choice <= 1) changed[at] = next(256);
    else if (choice === 2) changed[at] = (changed[at] ?? 0) ^ (1 << next(8));
    else if (choice === 3) changed.copyWithin(at, next(changed.length), next(changed.length));
    else if (choice === 4) changed.fill(next(2) * 255, at, at + length);
    else changed = changed.slice(0, at + length + 1);
  }
  return changed;
}
