// Loaded into a process before its program, and into each of its threads: decides how threads start.
import { isMainThread } from 'node:worker_threads';

const [, how] = /[?&]how=(\w+)/.exec(import.meta.url) ?? [];
if (!isMainThread) {
  if (how === 'slow') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
  if (how === 'fail') throw new Error('this thread does not start');
  if (how === 'exit') process.exit(3);
}
