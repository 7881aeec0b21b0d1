import { copyFileSync, rmSync } from 'node:fs';
import type { BenchImage } from './images.ts';
import { type Command, diskstack, qemuImg, wallTime } from './measure/processes.ts';
import type { Work } from './work.ts';

/** `commit`, `rebase` and a replaced output: each measurement gets files of its own, which are made beforehand. */
export const changingWorks: readonly Work[] = [
  changing('commit an overlay', (image, run) => {
    const base = copyOf(image.path, 'base');
    const overlay = copyOf(image.overlay, 'overlay');
    wallTime(qemuImg('rebase', '-u', '-F', 'qcow2', '-b', base, overlay));
    return timed([base, overlay], run('commit', '-q', overlay));
  }),
  changing('rebase to another base', (image, run) => {
    const base = copyOf(image.path, 'base');
    const overlay = copyOf(image.overlay, 'overlay');
    return timed([base, overlay], run('rebase', '-F', 'qcow2', '-b', base, overlay));
  }),
  changing('convert to raw, over an existing file', (image, run) => {
    const output = copyOf(image.content, 'existing');
    return timed([output], run('convert', '-O', 'raw', image.path, output));
  }),
];

type Run = (...args: string[]) => Command;

function changing(name: string, measure: (image: BenchImage, run: Run) => number): Work {
  return {
    name,
    unit: 'ms',
    images: ({ name }) => name === 'plain',
    ours: (image) => measure(image, diskstack),
    theirs: (image) => measure(image, qemuImg),
  };
}

function copyOf(path: string, suffix: string): string {
  const copy = `${path}.${suffix}`;
  copyFileSync(path, copy);
  return copy;
}

function timed(files: readonly string[], command: Command): number {
  const milliseconds = wallTime(command);
  for (const file of files) rmSync(file);
  return milliseconds;
}
