// `pnpm fuzz [--seed N] [--count N]`: mutants of small images, opened and read in all ways. Only a DiskError may come
// back, and nothing may take longer than two seconds. A failure names the seed and the mutant that repeat it.
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { FuzzJob, FuzzMessage } from './worker.ts';

const MAX_SECONDS = 2;
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '2000' },
    first: { type: 'string', default: '0' },
  },
});
const seed = Number(values.seed);
const end = Number(values.first) + Number(values.count);
const totals = { opened: 0, refused: 0, failures: 0 };

for (let next = Number(values.first); next < end; )
  next = await run({ seed, first: next, count: end - next });
console.log(
  `seed ${seed}: ${totals.opened} mutants read, ${totals.refused} refused, ${totals.failures} failures`,
);
process.exitCode = totals.failures === 0 ? 0 : 1;

/** Runs mutants in a thread until they are done or one hangs; answers the mutant to go on with. */
function run(job: FuzzJob): Promise<number> {
  return new Promise((resolve) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: job });
    let mutant = job.first;
    let since = Number.POSITIVE_INFINITY; // until the first mutant is tried: a thread takes a while to start
    const fail = (what: string): void => {
      totals.failures++;
      console.error(`mutant ${mutant} (--seed ${seed} --first ${mutant} --count 1): ${what}`);
    };
    const watch = setInterval(() => {
      if (performance.now() - since > MAX_SECONDS * 1000) stop('takes longer than two seconds');
    }, 100);
    const stop = (what: string): void => {
      fail(what);
      finish(mutant + 1);
    };
    const finish = (next: number): void => {
      clearInterval(watch);
      void worker.terminate().then(() => resolve(next));
    };
    worker.on('message', (message: FuzzMessage) => {
      if (message.kind === 'trying') {
        mutant = message.mutant;
        since = performance.now();
      } else if (message.kind === 'escaped') {
        fail(`${message.image}: ${message.error}`);
      } else {
        totals.opened += message.opened;
        totals.refused += message.refused;
        finish(end);
      }
    });
    worker.on('error', (error) => stop(String(error)));
  });
}
