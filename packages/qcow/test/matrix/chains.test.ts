import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withoutRawTail } from '../support/as-qemu-map.ts';
import { noise, random } from '../support/content.ts';
import { compareWithQemu } from '../support/matrix.ts';
import { describeWithQemu, plainSource, qemuIo } from '../support/qemu.ts';
import {
  type Deed,
  deeds,
  type ImageKind,
  KiB,
  MiB,
  makeImage,
  qcow1Kind,
  qcow2Kind,
  type Recipe,
} from '../support/recipe.ts';
import { tempFolder } from '../support/temp-folder.ts';

const V1 = qcow1Kind(512);
const V2 = qcow2Kind('0.10', 4 * KiB);
const V3 = qcow2Kind('1.1', 64 * KiB);
const EXTENDED = qcow2Kind('1.1', 32 * KiB, 'extended_l2=on');
const ANY: readonly Deed[] = ['plain', 'part', 'compressed', 'zero', 'unmap', 'discard'];

/** A raw file of noise. */
const RAW = 'raw' as const;
type Layer = ImageKind | typeof RAW;

interface Storey {
  readonly layer: Layer;
  readonly size: number;
  /** False: the overlay above does not record its format. */
  readonly recorded?: boolean;
}

/** Makes the layers from the bottom up, and returns the path of the top. */
async function makeChain(folder: string, seed: number, storeys: readonly Storey[]): Promise<string> {
  let path = '';
  let backing: Recipe['backing'];
  for (const [index, { layer, size, recorded = true }] of storeys.entries()) {
    const name = `layer-${index}`;
    path = join(folder, name);
    if (layer === RAW) {
      await writeFile(path, noise(size, seed + index));
      backing = { name, format: RAW, recorded };
    } else {
      const commands = deeds(random(seed + index), layer, size, ANY);
      await makeImage(folder, { name, kind: layer, size, backing, commands });
      backing = { name, format: layer.format, recorded };
    }
  }
  return path;
}

function labelOf(layer: Layer): string {
  return layer === RAW ? RAW : layer.label;
}

describeWithQemu('an overlay on a base', () => {
  const temp = tempFolder();
  const baseSize = MiB + 12 * 512;
  const sizes = { shorter: 700 * KiB + 512, equal: baseSize, longer: 2 * MiB - 3 * 512 };
  let seed = 1000;
  for (const top of [V1, V2, V3, EXTENDED]) {
    for (const base of [RAW, qcow1Kind(4 * KiB), V2, V3] as const) {
      for (const [relation, size] of Object.entries(sizes)) {
        const recorded = top === V1 || seed % 2 === 0;
        const chain = [
          { layer: base, size: baseSize, recorded },
          { layer: top, size },
        ];
        seed += 10;
        const at = seed;
        compareWithQemu({
          name: `${top.label} on ${labelOf(base)}, ${relation}, format ${recorded ? 'recorded' : 'probed'}`,
          format: top.format,
          build: async () => makeChain(await temp.next(), at, chain),
        });
      }
    }
  }
});

describeWithQemu('deep chains', () => {
  const temp = tempFolder();
  const three = (layers: readonly Layer[], sizes: readonly number[]): readonly Storey[] =>
    layers.map((layer, index) => ({ layer, size: sizes[index] ?? 0 }));
  const middles: readonly (readonly [string, readonly Storey[]])[] = [
    ['a short middle', three([RAW, V3, V3], [MiB, 300 * KiB, MiB])],
    ['a short middle that ends within a cluster', three([V2, V3, V3], [MiB, 300 * KiB + 512, MiB])],
    ['a short middle of version 1', three([V3, V1, V2], [MiB, 333 * KiB + 512, 2 * MiB])],
    ['a short middle with sub-clusters', three([RAW, EXTENDED, EXTENDED], [MiB, 500 * 512, MiB + 512])],
    ['a short top', three([V3, V2, V3], [2 * MiB, 2 * MiB, 512 * 777])],
    ['a long middle', three([V2, V3, V2], [512, 2 * MiB, MiB])],
    ['a middle of no bytes', three([V3, V3, V3], [MiB, 0, MiB])],
  ];
  for (const [index, [name, storeys]] of middles.entries()) {
    compareWithQemu({
      name: `depth 3, ${name}`,
      format: 'qcow2',
      build: async () => makeChain(await temp.next(), 3000 + index * 10, storeys),
    });
  }

  const eights: readonly (readonly [string, (index: number) => Layer])[] = [
    ['all of version 3', () => V3],
    ['every kind in turn', (index) => [RAW, V1, V2, V3, EXTENDED, V2, V1, V3][index] ?? V3],
    ['small clusters', (index) => (index % 2 === 0 ? qcow2Kind('1.1', 512) : qcow2Kind('0.10', KiB))],
  ];
  for (const [index, [name, layerOf]] of eights.entries()) {
    const next = random(index);
    const storeys = Array.from({ length: 8 }, (_, storey) => ({
      layer: layerOf(storey),
      size: 512 * (1000 + next(1000)),
    }));
    compareWithQemu({
      name: `depth 8, ${name}`,
      format: 'qcow2',
      build: async () => makeChain(await temp.next(), 4000 + index * 10, storeys),
    });
  }
});

describeWithQemu('raw bases of odd sizes', () => {
  const temp = tempFolder();
  for (const bytes of [0, 1, 511, 513, 1000, 65_537]) {
    for (const top of [V1, V2, V3, EXTENDED]) {
      const chain = [
        { layer: RAW, size: bytes, recorded: bytes % 2 === 0 || top === V1 },
        { layer: top, size: 300 * KiB },
      ] as const;
      compareWithQemu({
        name: `${top.label} on ${bytes} bytes`,
        format: top.format,
        build: async () => makeChain(await temp.next(), 5000 + bytes, chain),
        comparable: withoutRawTail(bytes),
      });
    }
  }
});

describeWithQemu('sparse raw bases', () => {
  const temp = tempFolder();
  for (const top of [V1, V2, V3, EXTENDED]) {
    compareWithQemu({
      name: `${top.label} on a base with holes`,
      format: top.format,
      build: async () => {
        const folder = await temp.next();
        const size = 2 * MiB;
        const base = join(folder, 'base');
        await writeFile(base, '');
        await truncate(base, size);
        await qemuIo(plainSource(base, 'raw'), [
          'write -q -P 5 256k 64k',
          'write -q -P 6 1m 4k',
          'write -q -P 7 2040k 8k',
        ]);
        const commands = deeds(random(6000), top, size, ['part', 'zero']);
        const backing = { name: 'base', format: RAW };
        return await makeImage(folder, { name: 'disk', kind: top, size, backing, commands });
      },
    });
  }
});
