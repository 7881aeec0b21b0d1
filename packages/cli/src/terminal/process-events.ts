import { showProgress } from './progress.ts';

let areHandled = false;

/**
 * Handles what happens to the process beside its work.
 *
 * - A closed stdout or stderr does not end the work: an image is finished even if its progress has no reader. Where the
 *   output is the result, `print` reports the closed pipe.
 * - SIGUSR1 prints the progress, as it does in qemu-img. Without a handler Node opens its debugger to every user of this
 *   computer.
 */
export function handleProcessEvents(): void {
  if (areHandled) return;
  areHandled = true;
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  if (process.platform !== 'win32') process.on('SIGUSR1', showProgress);
}
