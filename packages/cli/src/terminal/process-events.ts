import { showProgress } from './progress.ts';

let areHandled = false;

/**
 * Handles the events of the process that are not about its work.
 *
 * - A closed stdout or stderr does not end the work: the image is completed without its progress. Where stdout
 *   is the result, `print` reports the closed pipe.
 * - SIGUSR1 prints the progress, as in qemu-img. Without a handler Node opens its debugger to every user of the computer.
 */
export function handleProcessEvents(): void {
  if (areHandled) return;
  areHandled = true;
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  if (process.platform !== 'win32') process.on('SIGUSR1', showProgress);
}
