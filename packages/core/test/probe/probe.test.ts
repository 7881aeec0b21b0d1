import { expect, test, vi } from 'vitest';
import type { DiskFormat, Rank } from '../../src/contracts/disk-format.ts';
import type { ProbeWindow } from '../../src/contracts/probe-window.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { footerAt, magicAt, startsWithAt } from '../../src/probe/magic.ts';
import { HEAD_BYTES, readProbeWindow, TAIL_BYTES } from '../../src/probe/window.ts';
import { ProbeRegistry } from '../../src/stack/probe-registry.ts';
import { diskErrorOf, faultDisk, pattern, patternDisk } from '../../src/testing/index.ts';

const EMPTY: ProbeWindow = { head: new Uint8Array(0), tail: new Uint8Array(0), size: 0 };

function format(name: string, probe: Rank | undefined | DiskFormat['probe']): DiskFormat {
  return {
    name,
    title: `The ${name} format`,
    probe: typeof probe === 'function' ? probe : () => probe,
    open: (downstream) => downstream,
  };
}

/** All orders of a few formats. */
function orders<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, index) => orders(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));
}

async function disk(bytes: Uint8Array) {
  const memory = new MemoryDisk(bytes);
  await memory.init();
  return memory;
}

test.for([
  [0, 0, 0],
  [1, 1, 1],
  [511, 511, 511],
  [513, 513, 512],
  [4096, 4096, 512],
  [4097, 4096, 512],
  [100_000, 4096, 512],
] as const)('a disk of %d bytes has a head of %d and a tail of %d', async ([size, headBytes, tailBytes]) => {
  const bytes = pattern(size, 1);
  expect(await readProbeWindow(await disk(bytes))).toEqual({
    head: bytes.slice(0, headBytes),
    tail: bytes.slice(size - tailBytes),
    size,
  });
});

test('the window is read once, however many formats look at it', async () => {
  const below = faultDisk(patternDisk(100_000));
  await below.init();
  const seen: ProbeWindow[] = [];
  const look = (window: ProbeWindow): Rank | undefined => {
    seen.push(window);
    return undefined;
  };
  const registry = new ProbeRegistry([format('a', look), format('b', look), format('c', 'fallback')]);
  expect((await registry.probe(below)).format.name).toBe('c');
  expect(below.reads).toBe(2);
  expect(seen.map(({ tail }) => tail.length)).toEqual([0, 0, TAIL_BYTES, TAIL_BYTES]);
  expect(seen[2]).toBe(seen[3]);
});

test('the end of a disk is not read when a format finds its magic number at the start', async () => {
  const below = faultDisk(patternDisk(100_000));
  await below.init();
  const registry = new ProbeRegistry([
    format('foot', ({ tail }) => (tail.length > 0 ? 'footer' : undefined)),
    format('head', 'magic'),
  ]);
  const { format: found, head } = await registry.probe(below);
  expect(found.name).toBe('head');
  expect(head).toEqual(await below.read(0, HEAD_BYTES));
  expect(below.reads).toBe(2); // the head, and the read of this test
});

test.for([1, 2])(
  'a short read of the window is an error, not a smaller disk (read %d)',
  async (shortReadAt) => {
    const below = faultDisk(patternDisk(100_000), { shortReadAt, missingBytes: 4000 });
    await below.init();
    const registry = new ProbeRegistry([format('raw', 'fallback')]);
    expect((await diskErrorOf(() => registry.probe(below))).code).toBe('ERR_SHORT_READ');
  },
);

test('the better rank wins, in every order of registration', async () => {
  const empty = await disk(new Uint8Array(0));
  const formats = [
    format('raw', 'fallback'),
    format('gpt', 'structure'),
    format('qcow2', 'magic'),
    format('no', undefined),
  ];
  for (const order of orders(formats)) {
    const registry = new ProbeRegistry(order);
    expect((await registry.probe(empty)).format.name).toBe('qcow2');
    expect(registry.matches(EMPTY).map(({ format: { name }, rank }) => [name, rank])).toEqual([
      ['qcow2', 'magic'],
      ['gpt', 'structure'],
      ['raw', 'fallback'],
    ]);
  }
});

test.for<Rank>(['magic', 'structure', 'fallback'])(
  'two formats of rank %s: the error names both',
  async (rank) => {
    const empty = await disk(new Uint8Array(0));
    for (const order of orders([format('vdi', rank), format('vhd', rank), format('no', undefined)])) {
      const error = await diskErrorOf(() => new ProbeRegistry(order).probe(empty));
      expect(error.code).toBe('ERR_AMBIGUOUS_FORMAT');
      expect(error.message).toContain('both vdi and vhd');
      expect(error.message).toContain(rank);
    }
  },
);

test('a tie below the best rank is no tie', async () => {
  const registry = new ProbeRegistry([
    format('a', 'structure'),
    format('b', 'structure'),
    format('c', 'magic'),
  ]);
  expect((await registry.probe(await disk(new Uint8Array(0)))).format.name).toBe('c');
});

test('a disk that no format claims is an error', async () => {
  const registry = new ProbeRegistry([format('a', undefined)]);
  expect((await diskErrorOf(async () => registry.probe(await disk(new Uint8Array(9))))).code).toBe(
    'ERR_UNKNOWN_FORMAT',
  );
});

test('an unknown name is quoted and the known ones are listed', async () => {
  const registry = new ProbeRegistry([format('vdi', 'magic'), format('qcow2', 'magic')]);
  expect(registry.named('vdi').name).toBe('vdi');
  const error = await diskErrorOf(() => registry.named('q\ncow'));
  expect(error).toMatchObject({
    code: 'ERR_UNKNOWN_FORMAT',
    reason: 'no format "q\\u000acow" is registered; known: qcow2, vdi',
  });
  expect((await diskErrorOf(() => new ProbeRegistry([]).named('raw'))).reason).toContain('known: none');
  for (const name of ['constructor', '__proto__', 'toString']) {
    expect((await diskErrorOf(() => registry.named(name))).code).toBe('ERR_UNKNOWN_FORMAT');
  }
});

test('two formats of one name are refused', () => {
  expect(() => new ProbeRegistry([format('a', 'magic'), format('a', 'fallback')])).toThrow(
    expect.objectContaining({
      code: 'ERR_ARGUMENT',
      reason: 'two formats are registered under the name "a"',
    }),
  );
});

test('a signal ends a probe', async () => {
  const registry = new ProbeRegistry([format('raw', 'fallback')]);
  const probe = vi.spyOn(registry, 'matches');
  const signal = AbortSignal.abort();
  expect((await diskErrorOf(async () => registry.probe(await disk(pattern(5000)), { signal }))).code).toBe(
    'ERR_ABORTED',
  );
  expect(probe).not.toHaveBeenCalled();
});

test.for([
  [[1, 2, 3, 4], 0, [1, 2], true],
  [[1, 2, 3, 4], 2, [3, 4], true],
  [[1, 2, 3, 4], 3, [4, 5], false],
  [[1, 2, 3, 4], 0, [1, 3], false],
  [[], 0, [0], false],
  [[], 0, [], true],
] as const)('bytes %j have at %d %j: %j', ([bytes, at, wanted, there]) => {
  expect(startsWithAt(new Uint8Array(bytes), at, wanted)).toBe(there);
});

test('magic numbers at the head and in a footer', () => {
  const bytes = pattern(HEAD_BYTES);
  bytes.set([0x51, 0x46], 4);
  bytes.set([0x63, 0x6f], HEAD_BYTES - TAIL_BYTES);
  const window = { head: bytes, tail: bytes.slice(-TAIL_BYTES), size: HEAD_BYTES };
  expect(magicAt(4, 0x51, 0x46)(window)).toBe('magic');
  expect(magicAt(0, 0x51, 0x46)(window)).toBeUndefined();
  expect(footerAt(512, 0x63, 0x6f)(window)).toBe('footer');
  expect(footerAt(511, 0x63, 0x6f)(window)).toBeUndefined();
  expect(footerAt(512, 0x63, 0x6f)(EMPTY)).toBeUndefined();
  expect(footerAt(512, 0x63)({ ...window, tail: new Uint8Array([0x63]) })).toBeUndefined();
});

test('the window is as long as the format that asks for most, and read once', async () => {
  const seen: ProbeWindow[] = [];
  const asking = (name: string, window: DiskFormat['window'], rank: Rank): DiskFormat => ({
    name,
    title: name,
    window,
    probe: (shown) => {
      seen.push(shown);
      return rank;
    },
    open: (downstream) => downstream,
  });
  const far = asking('far', { head: 70_000, tail: 1536 }, 'footer');
  const near = asking('near', undefined, 'fallback');
  const storage = await disk(pattern(100_000));
  expect((await new ProbeRegistry([near, far]).probe(storage)).format.name).toBe('far');
  expect(seen.map(({ head, tail }) => [head.length, tail.length])).toEqual([
    [70_000, 0],
    [70_000, 0],
    [70_000, 1536],
    [70_000, 1536],
  ]);
  expect(() => new ProbeRegistry([asking('greedy', { tail: 2 ** 20 + 1 }, 'magic')])).toThrow('greedy');
});

test('a magic number at the start is surer than a footer, and a footer than no mark at all', async () => {
  const claims = (name: string, rank: Rank): DiskFormat => ({
    name,
    title: name,
    probe: () => rank,
    open: (downstream) => downstream,
  });
  const formats = (['fallback', 'footer', 'structure', 'magic'] as const).map((rank) => claims(rank, rank));
  const window = await readProbeWindow(await disk(pattern(512)));
  expect(new ProbeRegistry(formats).matches(window).map(({ rank }) => rank)).toEqual([
    'magic',
    'structure',
    'footer',
    'fallback',
  ]);
});
