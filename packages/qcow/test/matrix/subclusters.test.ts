import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { noise, random } from '../support/content.ts';
import { compareWithQemu } from '../support/matrix.ts';
import { describeWithQemu } from '../support/qemu.ts';
import { type Deed, deeds, KiB, MiB, makeImage, qcow2Kind } from '../support/recipe.ts';
import { tempFolder } from '../support/temp-folder.ts';

const CONTENTS: Readonly<Record<string, readonly Deed[]>> = {
  'writes of sub-clusters': ['part', 'part', 'plain'],
  'zeroes and discards of sub-clusters': ['part', 'zero', 'zero', 'unmap', 'discard'],
  'compressed clusters': ['compressed', 'part'],
};

describeWithQemu('extended L2 entries', () => {
  const temp = tempFolder();
  let seed = 500;
  for (const clusterSize of [16 * KiB, 32 * KiB, 64 * KiB, 2 * MiB]) {
    for (const [content, what] of Object.entries(CONTENTS)) {
      for (const isOverlay of [false, true]) {
        const next = random(seed++);
        const compression = what.includes('compressed') && isOverlay ? ',compression_type=zstd' : '';
        const kind = qcow2Kind('1.1', clusterSize, `extended_l2=on${compression}`);
        const size = Math.max(MiB, 5 * clusterSize) + 512 * next(31);
        // Sub-clusters are small: twice as many changes, in runs of one and two clusters.
        const commands = [...deeds(next, kind, size, what), ...deeds(next, kind, size, ['part'])];
        compareWithQemu({
          name: `${kind.label}, ${content}${isOverlay ? ', over a base' : ''}`,
          format: 'qcow2',
          build: async () => {
            const folder = await temp.next();
            await writeFile(join(folder, 'base'), noise(2 * 512 * Math.floor(size / 1500), seed));
            const backing = isOverlay ? { name: 'base', format: 'raw' } : undefined;
            return await makeImage(folder, { name: 'disk', kind, size, backing, commands });
          },
        });
      }
    }
  }
});
