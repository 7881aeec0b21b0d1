import { Worker } from 'node:worker_threads';

/** Clusters to decompress, one after another. */
export interface ZstdTask {
  readonly codecs: 'portable' | 'zlib';
  readonly stored: readonly Uint8Array[];
  /** Bytes of each of them. */
  readonly cluster: number;
}

export type ZstdAnswer =
  | { readonly bytes: Uint8Array }
  | { readonly refusal: string; readonly isError: boolean };

/**
 * Decompresses in a thread of its own, so that a decoder that never ends can be ended. The answers so far come back when
 * one takes longer than `maxMs`.
 */
export async function zstdInWorker(task: ZstdTask, maxMs = 3000): Promise<ZstdAnswer[]> {
  const worker = new Worker(new URL('./zstd-worker.ts', import.meta.url), {
    workerData: task,
    execArgv: ['--experimental-strip-types', '--no-warnings'],
  });
  const answers: ZstdAnswer[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      worker.once('online', () => {
        timer = setTimeout(resolve, 2 * maxMs); // its modules have to be loaded too
      });
      worker.on('message', (answer: ZstdAnswer) => {
        answers.push(answer);
        clearTimeout(timer);
        timer = setTimeout(resolve, maxMs);
      });
      worker.once('error', reject);
      worker.once('exit', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  } finally {
    await worker.terminate();
  }
  return answers;
}
