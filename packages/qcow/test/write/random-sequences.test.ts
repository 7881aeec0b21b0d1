import { test } from 'vitest';
import { describeWithQemu } from '../support/qemu.ts';
import { runSequence } from '../support/random-sequence.ts';
import { tempFolder } from '../support/temp-folder.ts';

const temp = tempFolder();
const FIRST = Number(process.env.DISKSTACK_SEED ?? 1);
const COUNT = Number(process.env.DISKSTACK_SEQUENCES ?? 40);

describeWithQemu(
  'random operations leave an image that qemu finds good, with the bytes of a byte array',
  () => {
    for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
      test(`sequence ${seed}`, async () => {
        await runSequence(await temp.next(), seed);
      });
    }
  },
);
