import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { can } from '@diskstack/core';
import { expect, test } from 'vitest';
import { random } from '../support/content.ts';
import { openPath } from '../support/image-folder.ts';
import { expectSameBytes } from '../support/matrix.ts';
import { infoOf } from '../support/open.ts';
import { convertSource, convertWithQemu, describeWithQemu, plainSource, qemuImg } from '../support/qemu.ts';
import { type Deed, deeds, KiB, MiB, makeImage, qcow2Kind, writeImage } from '../support/recipe.ts';
import { tempFolder } from '../support/temp-folder.ts';

// qemu writes compressed clusters where nothing is allocated yet: in the first state with content.
const FIRST: readonly Deed[] = ['plain', 'part', 'compressed', 'overwrite'];
const LATER: readonly Deed[] = ['plain', 'part', 'zero', 'unmap', 'discard'];

const KINDS = [
  qcow2Kind('0.10', 4 * KiB),
  qcow2Kind('0.10', 64 * KiB),
  qcow2Kind('1.1', 4 * KiB),
  qcow2Kind('1.1', 64 * KiB),
  qcow2Kind('1.1', 64 * KiB, 'refcount_bits=64'),
  qcow2Kind('1.1', 16 * KiB, 'extended_l2=on'),
  qcow2Kind('1.1', 64 * KiB, 'compression_type=zstd'),
];

/** A snapshot in the output of `qemu-img info --output json`. */
interface QemuSnapshot {
  readonly id: string;
  readonly name: string;
  readonly 'vm-state-size': number;
  readonly 'date-sec': number;
  readonly 'date-nsec': number;
  readonly 'vm-clock-sec': number;
  readonly 'vm-clock-nsec': number;
  readonly icount?: number;
}

/** Five states of one disk, with writes and a resize between them. The last one is the active state. */
const STATES = [
  { name: 'empty', size: 2 * MiB },
  { name: 'written', size: 2 * MiB },
  { name: 'grown', size: 21 * MiB },
  { name: 'shrunk', size: MiB },
  { name: undefined, size: MiB },
] as const;

describeWithQemu('snapshots by qemu-img', () => {
  const temp = tempFolder();
  for (const [index, kind] of KINDS.entries()) {
    test.concurrent(`${kind.label}: the list is qemu-img's, and each snapshot has the bytes and the size of its time`, async () => {
      const next = random(900 + index);
      const folder = await temp.next();
      const path = await makeImage(folder, { name: 'disk', kind, size: STATES[0].size });
      const then: Uint8Array[] = [];
      const sizes: number[] = [];
      for (const [step, { name, size }] of STATES.entries()) {
        // qemu does not resize an image of version 2 that has snapshots.
        const length = kind.options.includes('compat=0.10') ? STATES[0].size : size;
        if (length !== sizes.at(-1)) await qemuImg('resize', '-q', '--shrink', path, String(length));
        sizes.push(length);
        if (step > 0) await writeImage(path, { kind }, deeds(next, kind, length, step === 1 ? FIRST : LATER));
        then.push(await convertWithQemu(path, 'qcow2'));
        if (name !== undefined) await qemuImg('snapshot', '-c', name, path);
      }

      await using disk = await openPath(path);
      const told = JSON.parse(await qemuImg('info', '--output', 'json', path)) as {
        snapshots: QemuSnapshot[];
      };
      expect(infoOf(disk).snapshots?.map(({ diskSize: _, ...facts }) => facts)).toEqual(
        told.snapshots.map((theirs) => ({
          id: theirs.id,
          name: theirs.name,
          vmStateSize: theirs['vm-state-size'],
          dateSec: theirs['date-sec'],
          dateNsec: theirs['date-nsec'],
          vmClockSec: theirs['vm-clock-sec'],
          vmClockNsec: theirs['vm-clock-nsec'],
          ...(theirs.icount === undefined ? {} : { icount: theirs.icount }),
        })),
      );
      for (const [step, { name }] of STATES.entries()) {
        await using snapshot = await openPath(path, { snapshot: name });
        expect(snapshot.size()).toBe(sizes[step]);
        await expectSameBytes(snapshot, then[step] ?? new Uint8Array(0));
      }
    });
  }

  test('a snapshot as large as the disk has the bytes of qemu-img convert -l', async () => {
    const kind = qcow2Kind('1.1', 64 * KiB);
    const path = await makeImage(await temp.next(), {
      name: 'disk',
      kind,
      size: MiB,
      commands: ['write -q -s TEXT 0 300k'],
    });
    await qemuImg('snapshot', '-c', 'one', path);
    await writeImage(path, { kind }, ['write -q -P 3 100k 400k', 'discard -q 0 64k']);
    const expected = await convertSource(['-l', 'snapshot.name=one', ...plainSource(path, 'qcow2')]);
    for (const name of ['one', '1']) {
      await using disk = await openPath(path, { snapshot: name });
      await expectSameBytes(disk, expected);
    }
  });

  test('a snapshot of an overlay stands on the base of the overlay', async () => {
    const folder = await temp.next();
    const kind = qcow2Kind('1.1', 4 * KiB);
    await makeImage(folder, { name: 'base', kind, size: MiB, commands: ['write -q -s NOISE 0 1M'] });
    const backing = { name: 'base', format: 'qcow2' };
    const path = await makeImage(folder, {
      name: 'disk',
      kind,
      size: MiB,
      backing,
      commands: ['write -q -P 1 10k 50k'],
    });
    await qemuImg('snapshot', '-c', 'one', path);
    const expected = await convertWithQemu(path, 'qcow2');
    await writeImage(path, { kind }, ['write -q -P 2 0 1M']);
    await using disk = await openPath(path, { snapshot: 'one' });
    await expectSameBytes(disk, expected);
  });

  test('a snapshot is that of the disk that was asked for, and its base is as it is now', async () => {
    const folder = await temp.next();
    const kind = qcow2Kind('1.1', 4 * KiB);
    const base = await makeImage(folder, { name: 'base', kind, size: MiB, commands: ['write -q -P 1 0 1M'] });
    await qemuImg('snapshot', '-c', 'one', base);
    await writeImage(base, { kind }, ['write -q -P 2 0 1M']);
    const path = await makeImage(folder, {
      name: 'disk',
      kind,
      size: MiB,
      backing: { name: 'base', format: 'qcow2' },
    });
    await qemuImg('snapshot', '-c', 'one', path);
    await using disk = await openPath(path, { snapshot: 'one' });
    expect(await disk.read(0, 512)).toEqual(new Uint8Array(512).fill(2));
  });

  test('extents of a snapshot are its own', async () => {
    const kind = qcow2Kind('1.1', 64 * KiB);
    const path = await makeImage(await temp.next(), {
      name: 'disk',
      kind,
      size: MiB,
      commands: ['write -q -P 1 0 64k'],
    });
    await qemuImg('snapshot', '-c', 'one', path);
    await writeImage(path, { kind }, ['write -q -P 2 0 1M']);
    await using disk = await openPath(path, { snapshot: 'one' });
    const file = await readFile(path);
    const kinds: unknown[] = [];
    if (!can(disk, 'extents')) throw new Error('the disk has no extents');
    for await (const { offset, length, kind: what, at } of disk.extents()) {
      kinds.push([offset, length, what]);
      if (at !== undefined) expect(file[at]).toBe(1);
    }
    expect(kinds).toEqual([
      [0, 64 * KiB, 'data'],
      [64 * KiB, 960 * KiB, 'zero'],
    ]);
  });

  test('an image of version 1, or a raw one, has no snapshots to open', async () => {
    const folder = await temp.next();
    const path = await makeImage(folder, { name: 'disk', kind: qcow2Kind('1.1', 4 * KiB), size: MiB });
    await qemuImg('convert', '-O', 'qcow', path, join(folder, 'v1'));
    await expect(openPath(join(folder, 'v1'), { snapshot: '1' })).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
    });
    await expect(openPath(path, { snapshot: '1', format: 'raw' })).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
    });
  });
});
