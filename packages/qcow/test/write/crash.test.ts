import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { random } from '../support/content.ts';
import { type CrashKind, crashRun, judgeCrash } from '../support/crash-run.ts';
import { checkWithQemu, describeWithQemu } from '../support/qemu.ts';
import { tempFolder } from '../support/temp-folder.ts';

// A crash may come after any write, and a disk may write in any order between two barriers.

const temp = tempFolder();
const STEPS = Number(process.env.DISKSTACK_CRASH_STEPS ?? 25);
const SEED = Number(process.env.DISKSTACK_SEED ?? 1);

const KINDS: readonly (readonly [string, CrashKind])[] = [
  ['4 KiB clusters', { clusterSize: 4096 }],
  ['512-byte clusters', { clusterSize: 512 }],
  ['512-byte clusters over a base', { clusterSize: 512, based: true }],
  ['64 KiB clusters over a base', { clusterSize: 65_536, based: true }],
  ['sub-clusters', { clusterSize: 16_384, extendedL2: true, based: true }],
  ['refcounts of 1 bit', { clusterSize: 512, refcountBits: 1 }],
  ['refcounts of 64 bits', { clusterSize: 512, refcountBits: 64 }],
  ['version 2', { clusterSize: 1024, version: 2, based: true }],
];

test.for(KINDS)(
  '%s: every cut, and any order, leaves an image without corruption and with all that was flushed',
  async ([, kind]) => {
    const run = await crashRun(kind, SEED, STEPS);
    const next = random(SEED);
    const { events } = run.disk;
    const failures: string[] = [];
    for (let count = 0; count <= events.length; count++) {
      for (let variant = 0; variant < 3; variant++) {
        const salt = next(2 ** 32);
        const survives = (event: number): boolean => variant === 0 || random(salt + event)(variant + 1) === 0;
        const wrong = await judgeCrash(run, count, run.disk.after(count, survives));
        if (wrong !== undefined)
          failures.push(`event ${count} of ${events.length}, variant ${variant}: ${wrong}`);
      }
    }
    expect(failures.slice(0, 5)).toEqual([]);
  },
);

describeWithQemu('what a crash leaves', () => {
  test.for(KINDS.filter(([, { based }]) => based !== true))(
    '%s: qemu-img check finds leaks at most',
    async ([, kind]) => {
      const run = await crashRun(kind, SEED + 1, STEPS);
      const path = join(await temp.next(), 'crashed');
      const next = random(SEED);
      for (let sample = 0; sample < 12; sample++) {
        const count = next(run.disk.events.length + 1);
        await writeFile(
          path,
          run.disk.after(count, () => next(2) === 0),
        );
        expect(await checkWithQemu('-f', 'qcow2', path)).toMatchObject({ corruptions: 0, errors: 0 });
      }
    },
  );
});
