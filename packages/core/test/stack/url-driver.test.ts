import { expect, test } from 'vitest';
import type { StorageDriver } from '../../src/contracts/storage-driver.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { createDisks } from '../../src/disks.ts';
import { urlNames } from '../../src/stack/location-names.ts';
import { pattern } from '../../src/testing/index.ts';
import { overlay, overlayImage, plain } from '../support/overlay-format.ts';

// A driver of one's own, whole: a bucket in memory, whose relative names are keys of the same bucket.
function bucket(objects: Readonly<Record<string, Uint8Array>>): StorageDriver {
  return {
    ...urlNames('s3'),
    open: (location, { writable }) =>
      new MemoryDisk(objects[location] ?? new Uint8Array(0), { writable, location }),
    kind: async (location) => (location in objects ? 'file' : 'missing'),
    canonical: async (location) => (location in objects || location.endsWith('/vm') ? location : undefined),
    identity: async (location) => location,
  };
}

test('a driver of URLs resolves the relative names of its images, and its locations keep their scheme', async () => {
  const driver = bucket({
    's3://bucket/vm/top': overlayImage({ base: 'a b' }),
    's3://bucket/vm/a%20b': pattern(4096),
  });
  const disks = createDisks({ formats: [overlay, plain], drivers: [driver] });
  await using disk = await disks.open('s3://bucket/vm/top');
  const [, base] = (disk as unknown as { chain(): { location: string }[] }).chain();
  expect(base?.location).toBe('s3://bucket/vm/a%20b');
  expect(await disk.read(1024, 8)).toEqual(pattern(4096).subarray(1024, 1032));
});
