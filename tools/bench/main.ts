// `pnpm bench [--mib N] [--pairs N] [--only TEXT]`: diskstack and qemu-img on the same work, in turns, in one run.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeImages } from './images.ts';
import { isInstalled } from './measure/processes.ts';
import type { Work } from './work.ts';
import { works } from './works.ts';

/** Milliseconds for which a short piece of work is done again and again: the shorter it is, the more it scatters. */
const SHORT_WORK = 4000;

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '2048' },
    pairs: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
  },
});
const folder = join(tmpdir(), 'diskstack-bench');
const images = makeImages(folder, Number(values.mib));

console.log(
  `Guest of ${values.mib} MiB, medians of ${values.pairs} pairs or more after a warm-up. ratio < 1: diskstack is faster.\n`,
);
console.log('| work | image | diskstack | qemu-img | ratio |');
console.log('| --- | --- | ---: | ---: | ---: |');
for (const work of works) {
  for (const image of images) {
    if (!`${work.name} ${image.name}`.includes(values.only) || !work.images(image)) continue;
    const lack = lackOf(work);
    if (lack !== undefined) {
      console.log(`| ${work.name} | ${image.name} | | | ${lack} |`);
      continue;
    }
    const ours: number[] = [];
    const theirs: number[] = [];
    const enough = performance.now() + SHORT_WORK;
    for (let pair = 0; pair <= Number(values.pairs) || performance.now() < enough; pair++) {
      const taken = [await work.ours(image), await work.theirs?.(image)] as const;
      if (pair === 0) continue; // fills the page cache, and lets the JIT see the code
      ours.push(taken[0]);
      if (taken[1] !== undefined) theirs.push(taken[1]);
    }
    const ratios = theirs.map((took, index) => (ours[index] ?? Number.NaN) / took);
    const [mine, other] = [ours, theirs].map((all) => show(all, work.unit));
    console.log(`| ${work.name} | ${image.name} | ${mine} | ${other} | ${show(ratios, '', 2)} |`);
  }
}

/** Why the work cannot be done here; `undefined` if it can. */
function lackOf({ program, lacks }: Work): string | undefined {
  return program !== undefined && !isInstalled(program) ? `${program} is not installed` : lacks?.();
}

/** The median with its unit. `''` if nothing was measured. */
function show(numbers: readonly number[], unit: string, digits = 1): string {
  return numbers.length === 0 ? '' : `${median(numbers).toFixed(digits)} ${unit}`.trim();
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
