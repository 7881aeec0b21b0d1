import { open } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { random } from '../support/content.ts';
import { compareWithQemu, openFile } from '../support/matrix.ts';
import { convertWithQemu, describeWithQemu } from '../support/qemu.ts';
import { type Deed, deeds, KiB, MiB, makeImage, qcow1Kind, qcow2Kind, sizeName } from '../support/recipe.ts';
import { tempFolder } from '../support/temp-folder.ts';

const KINDS = [
  qcow1Kind(4 * KiB),
  qcow2Kind('0.10', 64 * KiB),
  qcow2Kind('1.1', 64 * KiB),
  qcow2Kind('1.1', 16 * KiB, 'extended_l2=on'),
];
const ANY: readonly Deed[] = ['plain', 'part', 'compressed', 'zero', 'discard'];

describeWithQemu('virtual sizes', () => {
  const temp = tempFolder();
  for (const kind of KINDS) {
    for (const size of [0, 512, 3 * 512, 129 * 512, MiB, MiB + 512, 513 * 4096 - 512]) {
      if (size === 0 && kind.format === 'qcow') continue; // qemu refuses a version 1 of no bytes
      compareWithQemu({
        name: `${kind.label} with ${sizeName(size)}`,
        format: kind.format,
        build: async () => {
          const commands = deeds(random(size), kind, size, ANY);
          return await makeImage(await temp.next(), { name: 'disk', kind, size, commands });
        },
      });
    }
  }
});

describeWithQemu('a header size that is no multiple of 512', () => {
  const temp = tempFolder();
  for (const kind of KINDS) {
    test.concurrent(`${kind.label}: qemu drops the last bytes, here the size is exact and the rest equal`, async () => {
      const size = 200_000;
      const commands = [`write -q -s NOISE 0 ${size - (size % 512)}`];
      const path = await makeImage(await temp.next(), { name: 'disk', kind, size: size + 480, commands });
      await patchSize(path, size);
      const theirs = await convertWithQemu(path, kind.format);
      await using disk = await openFile(path, kind.format);
      expect(disk.size()).toBe(size);
      expect(theirs.length).toBe(size - (size % 512));
      const bytes = await disk.read(0, size + 1);
      expect(bytes).toHaveLength(size);
      expect(Buffer.compare(bytes.subarray(0, theirs.length), theirs)).toBe(0);
      expect(bytes.subarray(theirs.length)).toEqual(new Uint8Array(size % 512));
    });
  }
});

/** Every version has its size at byte 24. */
async function patchSize(path: string, size: number): Promise<void> {
  const file = await open(path, 'r+');
  const field = new DataView(new ArrayBuffer(8));
  field.setBigUint64(0, BigInt(size));
  await file.write(new Uint8Array(field.buffer), 0, 8, 24);
  await file.close();
}

const OPTIONS = [
  ...['metadata', 'falloc', 'full'].flatMap((mode) => [
    qcow2Kind('0.10', 64 * KiB, `preallocation=${mode}`),
    qcow2Kind('1.1', 4 * KiB, `preallocation=${mode}`),
    qcow2Kind('1.1', 32 * KiB, `preallocation=${mode},extended_l2=on`),
  ]),
  ...[1, 2, 4, 8, 16, 32, 64].map((bits) => qcow2Kind('1.1', 4 * KiB, `refcount_bits=${bits}`)),
  ...[4 * KiB, 64 * KiB].map((size) => qcow2Kind('1.1', size, 'lazy_refcounts=on')),
];

describeWithQemu('options of qemu-img create', () => {
  const temp = tempFolder();
  for (const [index, kind] of OPTIONS.entries()) {
    const size = MiB + 512 * index;
    // One bit is too narrow for two compressed clusters in one host cluster, and a preallocated cluster takes none.
    const what = /preallocation|refcount_bits=1$/.test(kind.options)
      ? (['part', 'zero', 'discard'] as const)
      : ANY;
    const commands = deeds(random(7000 + index), kind, size, what);
    compareWithQemu({
      name: kind.label,
      format: 'qcow2',
      build: async () => makeImage(await temp.next(), { name: 'disk', kind, size, commands }),
    });
  }
});
