import { deflateRawSync } from 'node:zlib';
import { DiskError, type DiskModule, MemoryDisk } from '@diskstack/core';
import { type FaultDisk, type FaultDiskOptions, faultDisk } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { bitmapDirectory, bitmapExtentsOf, bitmapsExtension } from './support/bitmaps.ts';
import { checkDisk } from './support/check.ts';
import { noise, text } from './support/content.ts';
import { extentsOf } from './support/extents.ts';
import { featureName } from './support/feature-name.ts';
import { compressed, FIRST_FREE, qcow2Image, standard } from './support/image-builder.ts';
import { memoryGate } from './support/memory-gate.ts';
import { openDisk } from './support/open.ts';
import { snapshotTable } from './support/snapshot-table.ts';

// Makes each read below go wrong, of all that an open, reads and a check make. The result must be right, or an error.

const CLUSTER = 4096;
const at = (index: number): number => (FIRST_FREE + index) * CLUSTER;
const [DATA, STREAM, SNAPSHOTS, L1, L2, DIRECTORY, BITMAP, BITS] = [0, 1, 2, 3, 4, 5, 6, 7].map(at) as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];
const packed = text(CLUSTER, 2);
const stream = deflateRawSync(packed);

function table(entry: bigint): Uint8Array {
  const bytes = Buffer.alloc(CLUSTER);
  bytes.writeBigUInt64BE(entry);
  return bytes;
}

const directory = bitmapDirectory([{ tableOffset: BITMAP, tableSize: 1, name: 'b' }]);
const image = qcow2Image({
  l2: { 0: standard(DATA), 1: compressed(STREAM, stream.length), 3: standard(DATA) },
  header: { nbSnapshots: 1, snapshotsOffset: SNAPSHOTS, autoclearFeatures: 1n },
  extensions: [
    { type: 0x6803f857, data: featureName(0, 0, 'dirty bit') },
    bitmapsExtension(1, directory.length, DIRECTORY),
  ],
  at: [
    [DATA, noise(CLUSTER, 1)],
    [STREAM, stream],
    [SNAPSHOTS, snapshotTable([{ l1TableOffset: L1, l1Size: 1, id: '1', name: 'one' }])],
    [L1, table(BigInt(L2))],
    [L2, table(standard(DATA))],
    [DIRECTORY, directory],
    [BITMAP, table(BigInt(BITS))],
    [BITS, new Uint8Array(CLUSTER).fill(0x5a)],
  ],
});

type Answers = Readonly<Record<'bytes' | 'parts' | 'extents' | 'bitmap' | 'check', unknown>>;
const ACTIONS: Readonly<Record<keyof Answers, (disk: DiskModule) => Promise<unknown>>> = {
  bytes: (disk) => disk.read(0, disk.size()),
  parts: async (disk) => {
    const offsets = [100, CLUSTER - 7, CLUSTER + 500, 3 * CLUSTER + 1];
    return await Promise.all(offsets.map((offset) => disk.read(offset, 600)));
  },
  extents: extentsOf,
  bitmap: (disk) => bitmapExtentsOf(disk, 'b'),
  check: checkDisk,
};

async function answersOf(disk: DiskModule): Promise<Answers> {
  const answers: Record<string, unknown> = {};
  for (const [name, action] of Object.entries(ACTIONS)) {
    answers[name] = await action(disk).catch((error: unknown) => error);
  }
  return answers as unknown as Answers;
}

interface Case {
  readonly options: { readonly format?: string; readonly snapshot?: string };
  readonly readInto: boolean;
}

const below = (options: FaultDiskOptions): FaultDisk =>
  faultDisk(new MemoryDisk(image, { writable: false }), options);

/** The right results, and the number of read calls of the open and of everything. */
async function soundRun({ options, readInto }: Case) {
  const file = below({ readInto });
  await using disk = await openDisk(file, options);
  const ofOpen = file.reads;
  return { right: await answersOf(disk), ofOpen, all: file.reads };
}

const same = (answer: unknown, right: unknown): boolean => {
  try {
    expect(answer).toEqual(right);
    return true;
  } catch {
    return false;
  }
};

/** Whether the report of a check mentions what it could not read. */
const saysSo = (answer: unknown): boolean =>
  typeof answer === 'object' && answer !== null && 'errors' in answer && Number(answer.errors) > 0;

/** The wrong results. Without `strict`, an error instead of a result is allowed. */
function wrong(answers: Answers, right: Answers, strict: (name: keyof Answers) => boolean): string[] {
  const names = Object.keys(ACTIONS) as (keyof Answers)[];
  return names.filter((name) => {
    const answer = answers[name];
    if (same(answer, right[name])) return false;
    return strict(name) || !(answer instanceof DiskError || (name === 'check' && saysSo(answer)));
  });
}

const CASES: Readonly<Record<string, Case>> = {
  'the disk': { options: { format: 'qcow2' }, readInto: false },
  'the disk, whose format is probed': { options: {}, readInto: false },
  'the disk, on a storage with readInto': { options: { format: 'qcow2' }, readInto: true },
  'a snapshot': { options: { format: 'qcow2', snapshot: 'one' }, readInto: false },
};
const FAULTS: Readonly<Record<string, (call: number) => FaultDiskOptions>> = {
  fails: (call) => ({ failAt: call }),
  'lacks a byte': (call) => ({ shortReadAt: call }),
  'lacks 9 bytes': (call) => ({ shortReadAt: call, missingBytes: 9 }),
  'lacks 3000 bytes': (call) => ({ shortReadAt: call, missingBytes: 3000 }),
  'gives nothing': (call) => ({ shortReadAt: call, missingBytes: 2 ** 30 }),
};

describe.each(Object.entries(CASES))('each read below %s', (_, subject) => {
  test.each(Object.entries(FAULTS))(
    'that %s gives right answers or an error, and right ones afterwards',
    async (_name, fault) => {
      const { right, ofOpen, all } = await soundRun(subject);
      expect(Object.values(right).filter((answer) => answer instanceof Error)).toEqual([]);
      expect(all).toBeGreaterThan(ofOpen);
      const found: string[] = [];
      for (let call = 1; call <= all; call++) {
        const file = below({ ...fault(call), readInto: subject.readInto });
        const disk = await openDisk(file, subject.options).catch((error: unknown) => error);
        if (disk instanceof Error) {
          if (!(disk instanceof DiskError)) found.push(`read ${call}: ${disk} escapes`);
          continue;
        }
        const opened = disk as DiskModule;
        const first = wrong(await answersOf(opened), right, () => false);
        // A bitmap directory that could not be read on open is not read again.
        const strict = (name: keyof Answers): boolean => name !== 'bitmap' || call > ofOpen;
        const second = file.reads < call ? [] : wrong(await answersOf(opened), right, strict);
        found.push(...first.map((name) => `read ${call}: ${name}`));
        found.push(...second.map((name) => `read ${call}: ${name}, afterwards`));
        await opened.close();
      }
      expect(found).toEqual([]);
    },
  );
});

describe('each read below the base of an overlay', () => {
  test.each(Object.entries(FAULTS))('that %s gives right bytes or an error', async (_, fault) => {
    const top = qcow2Image({ backing: 'base' });
    const run = async (options: FaultDiskOptions) => {
      const gate = memoryGate({ base: image });
      let base: FaultDisk | undefined;
      const services = {
        gate: async (...asked: Parameters<typeof gate>) => {
          const opened = await gate(...asked);
          if (opened === undefined) return undefined;
          base = faultDisk(opened.disk, options);
          return { ...opened, disk: base };
        },
      };
      const read = async () => {
        await using disk = await openDisk(new MemoryDisk(top, { writable: false }), { services });
        return await disk.read(0, disk.size());
      };
      return { answer: await read().catch((error: unknown) => error), reads: base?.reads ?? 0 };
    };
    const sound = await run({});
    expect(sound.answer).toBeInstanceOf(Uint8Array);
    expect(sound.reads).toBeGreaterThan(3);
    for (let call = 1; call <= sound.reads; call++) {
      const { answer } = await run(fault(call));
      if (answer instanceof Error) expect(answer).toBeInstanceOf(DiskError);
      else expect(same(answer, sound.answer), `read ${call}`).toBe(true);
    }
  });
});
