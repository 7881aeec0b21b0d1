/** A small random generator (mulberry32): the same seed, the same mutants. */
export function randomBy(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) % below;
  };
}

type Random = (below: number) => number;

/** Values that sit at the edges of what fields mean. */
const EDGES = [
  0n,
  1n,
  8n,
  9n,
  21n,
  22n,
  63n,
  511n,
  512n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  2n ** 53n,
  2n ** 56n,
  2n ** 62n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/**
 * A mutant of an image: one to eight changes where its structures are. Header fields most of all, then the words of
 * tables (anywhere at a multiple of 8), extensions, bits, and the length of the file.
 */
export function mutate(image: Uint8Array, random: Random): Uint8Array {
  let mutant = image.slice();
  for (let changes = 1 + random(8); changes > 0; changes--) {
    const view = new DataView(mutant.buffer);
    if (mutant.length < 16) return mutant;
    switch (random(10)) {
      case 0:
      case 1:
        setWord(view, 4 + random(26) * 4, 4, edge(random), mutant.length); // a field of the header
        break;
      case 2:
        setWord(view, 72 + random(30) * 8, 8, edge(random), mutant.length); // feature words and extensions
        break;
      case 3:
      case 4:
        setWord(view, random(Math.floor(mutant.length / 8)) * 8, 8, edge(random), mutant.length);
        break;
      case 5:
        // A word that names another place of the file, as table entries do.
        setWord(
          view,
          random(Math.floor(mutant.length / 8)) * 8,
          8,
          place(mutant.length, random),
          mutant.length,
        );
        break;
      case 6:
        flip(mutant, random(mutant.length), random(8));
        break;
      case 7:
        flip(mutant, random(Math.min(mutant.length, 512)), random(8));
        break;
      case 8:
        copyBlock(mutant, random);
        break;
      default:
        mutant = mutant.slice(0, random(mutant.length) + 1);
    }
  }
  return mutant;
}

function edge(random: Random): bigint {
  const value = EDGES[random(EDGES.length)] ?? 0n;
  return random(3) === 0 ? value - 1n : value;
}

/** An offset within the file or a little past it, with flags of table entries now and then. */
function place(length: number, random: Random): bigint {
  const at = BigInt(random(Math.ceil(length / 512) + 4) * 512 + (random(4) === 0 ? random(512) : 0));
  return at | (BigInt(random(4)) << 62n) | (random(8) === 0 ? 1n : 0n);
}

function setWord(view: DataView, at: number, bytes: 4 | 8, value: bigint, length: number): void {
  if (at + bytes > length) return;
  if (bytes === 4) view.setUint32(at, Number(BigInt.asUintN(32, value)));
  else view.setBigUint64(at, BigInt.asUintN(64, value));
}

function flip(bytes: Uint8Array, at: number, bit: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
}

function copyBlock(bytes: Uint8Array, random: Random): void {
  const length = Math.min(512, bytes.length);
  const from = random(bytes.length - length + 1);
  bytes.copyWithin(random(bytes.length - length + 1), from, from + length);
}
