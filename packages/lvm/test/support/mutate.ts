/** A small random generator (mulberry32): the same seed, the same mutants. */
export function randomBy(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) % below;
  };
}

export type Random = (below: number) => number;

const EDGES = [
  0n,
  1n,
  2n,
  7n,
  8n,
  512n,
  4096n,
  0x7fffffffn,
  0xffffffffn,
  2n ** 40n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

function edge(random: Random): bigint {
  const value = EDGES[random(EDGES.length)] ?? 0n;
  return random(3) === 0 ? BigInt(random(2 ** 20)) : value;
}

/** One to four words or bits of a block changed, most of them near its start, where its header is. */
export function mutateBlock(block: Uint8Array, random: Random): Uint8Array {
  const mutant = block.slice();
  const view = new DataView(mutant.buffer);
  for (let changes = 1 + random(4); changes > 0; changes--) {
    const within = random(2) === 0 ? Math.min(mutant.length, 384) : mutant.length;
    const at = random(Math.floor(within / 8)) * 8;
    if (random(3) === 0) mutant[at + random(8)] = random(256);
    else if (random(2) === 0) view.setUint32(at, Number(edge(random) & 0xffffffffn), true);
    else view.setBigUint64(at, BigInt.asUintN(64, edge(random)), true);
  }
  return mutant;
}

/** One to four changes of metadata text: numbers, names, types, flags; characters and lines that come, go or come twice. */
export function mutateText(text: string, random: Random): string {
  let mutant = text;
  for (let changes = 1 + random(4); changes > 0; changes--) mutant = changeText(mutant, random);
  return mutant;
}

function changeText(text: string, random: Random): string {
  const one = <T>(list: readonly T[]): T | undefined => list[random(list.length)];
  switch (random(6)) {
    case 0: {
      const number = one([...text.matchAll(/(?<=[= ])\d+/g)]);
      return number === undefined
        ? text
        : spliced(text, number.index, number[0].length, String(edge(random)));
    }
    case 1: {
      const names = [...text.matchAll(/"[\w-]+"/g)];
      const name = one(names);
      return name === undefined ? text : spliced(text, name.index, name[0].length, one(names)?.[0] ?? '""');
    }
    case 2: {
      const type = one([...text.matchAll(/(?<=type = )"[^"]+"/g)]);
      const other = one([
        'striped',
        'mirror',
        'raid1',
        'raid5',
        'raid6',
        'raid10',
        'thin',
        'snapshot',
        'cache',
        'writecache',
        'x+y',
      ]);
      return type === undefined ? text : spliced(text, type.index, type[0].length, `"${other}"`);
    }
    case 3:
      return spliced(
        text,
        random(text.length),
        random(4),
        one(['{', '}', '[', ']', '"', '=', '#', "'", '\\', ',', '/', '-']) ?? '',
      );
    case 4: {
      const from = random(text.length);
      return spliced(text, from, 0, text.slice(from, from + random(400)));
    }
    default:
      return spliced(text, random(text.length), random(200), '');
  }
}

function spliced(text: string, at: number, remove: number, add: string): string {
  return text.slice(0, at) + add + text.slice(at + remove);
}
