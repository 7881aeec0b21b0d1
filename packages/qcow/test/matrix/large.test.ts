import { dirname } from 'node:path';
import { can } from '@diskstack/core';
import { firstDifference } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { asQemuMap } from '../support/as-qemu-map.ts';
import { fillHoles } from '../support/fill-holes.ts';
import { openFile } from '../support/matrix.ts';
import { convertRangeWithQemu, describeWithQemu, mapWithQemu } from '../support/qemu.ts';
import { KiB, MiB, makeImage, qcow2Kind } from '../support/recipe.ts';
import { tempFolder } from '../support/temp-folder.ts';

const TiB = 2 ** 40;

describeWithQemu('large sparse disks', () => {
  const temp = tempFolder();
  for (const [kind, size] of [
    [qcow2Kind('0.10', 64 * KiB), TiB],
    [qcow2Kind('1.1', 64 * KiB), TiB],
    [qcow2Kind('1.1', 64 * KiB, 'extended_l2=on'), TiB],
    [qcow2Kind('1.1', 2 * MiB), 64 * TiB],
    [qcow2Kind('1.1', 2 * MiB, 'compression_type=zstd'), 64 * TiB],
    [qcow2Kind('1.1', 2 * MiB), 4096 * TiB],
  ] as const) {
    const places = [0, 4 * 2 ** 30 - 1000, size / 2 + 12_345, size - 100_000];
    const commands = [
      `write -q -c -s TEXT ${kind.clusterSize} ${kind.clusterSize}`,
      ...places.map((place) => `write -q -s NOISE ${place} 100000`),
    ];
    let building: Promise<string> | undefined;
    const built = () =>
      (building ??= temp.next().then((folder) => makeImage(folder, { name: 'disk', kind, size, commands })));

    test.concurrent(`${size / TiB} TiB, ${kind.label}: the bytes are qemu's at both ends and between`, async () => {
      const path = await built();
      await using disk = await openFile(path);
      expect(disk.size()).toBe(size);
      for (const place of [...places, kind.clusterSize, size / 4]) {
        const offset = Math.max(0, place - (place % 512) - 2048);
        const length = Math.min(104_448, size - offset);
        const theirs = await convertRangeWithQemu(path, offset, length);
        expect(firstDifference(await disk.read(offset, length), theirs, offset)).toBeUndefined();
      }
      expect(await disk.read(size - 3, 10)).toHaveLength(3);
    });

    test.concurrent(`${size / TiB} TiB, ${kind.label}: the map is qemu's`, async () => {
      const path = await built();
      await fillHoles(dirname(path));
      await using disk = await openFile(path);
      if (!can(disk, 'extents')) throw new Error('the disk has no extents');
      const theirs = await mapWithQemu(path, 'qcow2');
      expect(await asQemuMap(disk.extents(0, undefined, { findHoles: true }))).toEqual(theirs);
    });
  }
});
