import { DiskError } from '@diskstack/core';
import { Failure } from './failure.ts';

/** Exit status of a process that a signal ends: 128 plus the number of the signal. */
const STATUS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
type Ending = keyof typeof STATUS;

/**
 * Runs work that Ctrl-C, a closed terminal and `kill` abort through its signal, so that it can clean up. A second one ends
 * the process immediately.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let ended: Ending | undefined;
  const names = Object.keys(STATUS) as Ending[];
  const onSignal = (name: NodeJS.Signals): void => {
    // Handlers of `exit` still run, and remove lock files.
    if (ended !== undefined) process.exit(STATUS[name as Ending]);
    ended = name as Ending;
    controller.abort();
  };
  const release = (): void => {
    for (const name of names) process.off(name, onSignal);
  };
  for (const name of names) process.on(name, onSignal);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (ended === undefined || !(error instanceof DiskError) || error.code !== 'ERR_ABORTED') throw error;
    throw new Failure(new DiskError('ERR_ABORTED', `interrupted by ${ended}`, { cause: error }), {
      status: STATUS[ended],
    });
  } finally {
    release();
  }
}
