// `pnpm bench [--mib N] [--pairs N] [--only TEXT]`: diskstack and qemu-img on the same work, in turns, in one run.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeImages } from './images.ts';
import { works } from './work.ts';

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '512' },
    pairs: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
  },
});
const folder = join(tmpdir(), 'diskstack-bench');
const images = makeImages(folder, Number(values.mib));

console.log(
  `Guest of ${values.mib} MiB, medians of ${values.pairs} pairs after a warm-up. ratio < 1: diskstack is faster.\n`,
);
console.log('| work | image | diskstack | qemu-img | ratio |');
console.log('| --- | --- | ---: | ---: | ---: |');
for (const work of works) {
  for (const image of images) {
    if (!`${work.name} ${image.name}`.includes(values.only)) continue;
    if (image.name.startsWith('sparse') && work.name === 'sequential read') continue;
    const ours: number[] = [];
    const qemu: number[] = [];
    for (let pair = 0; pair <= Number(values.pairs); pair++) {
      const times = [await work.ours(image.path), await work.qemu(image.path)] as const;
      if (pair === 0) continue; // fills the page cache, and lets the JIT see the code
      ours.push(times[0]);
      qemu.push(times[1]);
    }
    const ratio = median(ours.map((seconds, index) => seconds / (qemu[index] ?? 1)));
    console.log(
      `| ${work.name} | ${image.name} | ${ms(median(ours))} | ${ms(median(qemu))} | ${ratio.toFixed(2)} |`,
    );
  }
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function ms(seconds: number): string {
  return `${(seconds * 1000).toFixed(1)} ms`;
}
