import { describe, expect, test } from 'vitest';
import { defineDisk } from '../../src/disks/define-disk.ts';
import {
  commit,
  copyDisk,
  type DiskExtent,
  type DiskModule,
  fillImage,
  MemoryDisk,
  receiveDisk,
} from '../../src/index.ts';
import { diskErrorOf, pattern } from '../../src/testing/index.ts';

// A disk of another program may take fewer bytes than it is given, and say so. The rest would be lost silently.

const SIZE = 256 * 1024;

/** A disk of zeroes that takes all but the last byte of a write. */
function shortWriter(): DiskModule {
  const disk = defineDisk({
    type: '',
    size: () => SIZE,
    readInto: (_offset, into) => void into.fill(0),
    write: async () => {},
  });
  return Object.assign(disk, { write: async (_offset: number, data: Uint8Array) => data.length - 1 });
}

async function* streamOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const content = pattern(SIZE, 7);
async function opened<D extends DiskModule>(disk: D): Promise<D> {
  await disk.init();
  return disk;
}

describe('a target that takes fewer bytes is an error, and never a success', () => {
  test.each<[string, (source: DiskModule, target: DiskModule) => Promise<unknown>]>([
    ['copyDisk', (source, target) => copyDisk(source, target)],
    ['copyDisk that leaves zeroes out', (source, target) => copyDisk(source, target, { targetIsZero: true })],
    ['fillImage', (source, target) => fillImage(source, target, { clusterSize: 4096 })],
    ['receiveDisk', (_source, target) => receiveDisk(streamOf(content), target)],
  ])('%s', async (_name, transfer) => {
    const source = await opened(new MemoryDisk(content));
    const target = await opened(shortWriter());
    const error = await diskErrorOf(() => transfer(source, target));
    expect(error.code).toBe('ERR_IO');
    expect(error.reason).toMatch(/wrote \d+ of \d+ bytes/);
  });

  test('commit', async () => {
    const base = await opened(shortWriter());
    async function* extents(): AsyncGenerator<DiskExtent> {
      yield { offset: 0, length: SIZE, kind: 'data', depth: 0, present: true };
    }
    const overlay = Object.assign(await opened(new MemoryDisk(content)), { extents });
    expect((await diskErrorOf(() => commit(overlay, base, { depth: 1 }))).code).toBe('ERR_IO');
  });
});
