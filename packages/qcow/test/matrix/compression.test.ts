import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { noise, random, text } from '../support/content.ts';
import { compareWithQemu } from '../support/matrix.ts';
import { describeWithQemu, qemuImg } from '../support/qemu.ts';
import { deeds, type ImageKind, KiB, MiB, makeImage, qcow1Kind, qcow2Kind } from '../support/recipe.ts';
import { tempFolder } from '../support/temp-folder.ts';

const ZSTD = 'compression_type=zstd';

const CONVERTED = [
  qcow1Kind(4 * KiB),
  ...[512, KiB, 4 * KiB, 64 * KiB, 2 * MiB].flatMap((size) => [
    qcow2Kind('0.10', size),
    qcow2Kind('1.1', size),
    qcow2Kind('1.1', size, ZSTD),
  ]),
];

describeWithQemu('qemu-img convert -c', () => {
  const temp = tempFolder();
  for (const [index, kind] of CONVERTED.entries()) {
    const { label, format, clusterSize } = kind;
    compareWithQemu({
      name: label,
      format,
      portable: true,
      build: async () => {
        const folder = await temp.next();
        const [source, target] = [join(folder, 'raw'), join(folder, 'disk')];
        await writeFile(source, mixture(Math.max(MiB, 3 * clusterSize) + 512 * index, index));
        await convertCompressed(kind, source, target);
        return target;
      },
    });
  }
});

/** Words, noise, zeroes and repeated bytes, in pieces that ignore cluster boundaries. */
function mixture(length: number, seed: number): Uint8Array {
  const next = random(seed);
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const size = Math.min(length - at, 1 + next(90_000));
    const piece = [text, noise, () => new Uint8Array(size).fill(next(256))][next(3)];
    if (piece !== undefined) bytes.set(piece(size, next(1000)), at);
    at += size;
  }
  return bytes;
}

async function convertCompressed(kind: ImageKind, source: string, target: string): Promise<void> {
  const options = kind.options === '' ? [] : ['-o', kind.options];
  const converting = qemuImg('convert', '-c', '-f', 'raw', '-O', kind.format, ...options, source, target);
  // qemu 7.2 ends with status 1 and no message when it has converted to version 1, which is complete all the same.
  await (kind.format === 'qcow' ? converting.catch(() => {}) : converting);
}

describeWithQemu('zstd clusters by qemu-io', () => {
  const temp = tempFolder();
  for (const [index, clusterSize] of [512, KiB, 4 * KiB, 64 * KiB, 2 * MiB].entries()) {
    const kind = qcow2Kind('1.1', clusterSize, ZSTD);
    const size = Math.max(MiB, 5 * clusterSize) + 512 * index;
    const commands = deeds(random(100 + index), kind, size, ['compressed', 'compressed', 'part', 'zero']);
    compareWithQemu({
      name: kind.label,
      format: 'qcow2',
      portable: true,
      build: async () => makeImage(await temp.next(), { name: 'disk', kind, size, commands }),
    });
  }
});
