import { random } from '../support/content.ts';
import { compareWithQemu } from '../support/matrix.ts';
import { describeWithQemu } from '../support/qemu.ts';
import {
  type Deed,
  deeds,
  type ImageKind,
  KiB,
  MiB,
  makeImage,
  qcow1Kind,
  qcow2Kind,
} from '../support/recipe.ts';
import { tempFolder } from '../support/temp-folder.ts';

const CLUSTERS = [512, KiB, 4 * KiB, 64 * KiB, 2 * MiB];

const KINDS = [
  ...CLUSTERS.filter((size) => size <= 64 * KiB).map(qcow1Kind),
  ...CLUSTERS.map((size) => qcow2Kind('0.10', size)),
  ...CLUSTERS.map((size) => qcow2Kind('1.1', size)),
];

const CONTENTS: Readonly<Record<string, readonly Deed[]>> = {
  'plain writes': ['plain', 'part'],
  'compressed writes': ['compressed', 'compressed', 'overwrite'],
  'zeroes and discards': ['zero', 'unmap', 'discard', 'plain'],
  'all of it': ['plain', 'part', 'compressed', 'overwrite', 'zero', 'unmap', 'discard'],
};

describeWithQemu('version × cluster size × content', () => {
  const temp = tempFolder();
  let seed = 1;
  for (const kind of KINDS) {
    for (const [content, what] of Object.entries(CONTENTS)) {
      const next = random(seed++);
      // At least a few clusters; the last one is incomplete.
      const size = Math.max(MiB, 7 * kind.clusterSize) + 512 * (1 + next(7)) - 4 * KiB;
      compareWithQemu({
        name: `${kind.label}, ${content}`,
        format: kind.format,
        portable: what.includes('compressed'),
        build: async () =>
          makeImage(await temp.next(), {
            name: 'disk',
            kind,
            size,
            commands: deeds(
              next,
              kind,
              size,
              what.filter((deed) => isSafe(deed, kind)),
            ),
          }),
      });
    }
  }
});

/** qemu 7.2 itself damages images with small clusters when it overwrites compressed ones. */
function isSafe(deed: Deed, kind: ImageKind): boolean {
  return deed !== 'overwrite' || kind.format === 'qcow' || kind.clusterSize >= 4 * KiB;
}
