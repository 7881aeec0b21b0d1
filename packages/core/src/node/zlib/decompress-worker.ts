import { parentPort } from 'node:worker_threads';
import { claim, JOB, type PoolBatch, type PoolReply, STATE } from './pool-batch.ts';
import { zlibDecompress } from './zlib-decompress.ts';

// The script of a `DecompressPool` thread.

const codecs = {
  deflate: zlibDecompress('deflate', 'streams'),
  zlib: zlibDecompress('zlib', 'streams'),
  zstd: zlibDecompress('zstd', 'streams'),
};
const reply = (message: PoolReply): void => parentPort?.postMessage(message);

parentPort?.on('message', ({ batch, codec, input, inputAt, output, outputAt, control }: PoolBatch) => {
  const stored = new Uint8Array(input);
  const clusters = new Uint8Array(output);
  const states = new Int32Array(control);
  const count = states.length - JOB;
  for (let index = claim(states); index < count; index = claim(states)) {
    let state: number = STATE.done;
    try {
      codecs[codec](
        stored.subarray(inputAt[index], inputAt[index + 1]),
        clusters.subarray(outputAt[index], outputAt[index + 1]),
      );
    } catch {
      state = STATE.failed; // the calling thread tries again and gets the error
    }
    Atomics.store(states, JOB + index, state);
  }
  reply({ batch });
});
void Promise.all(Object.values(codecs).map(async ({ ready }) => ready?.())).then(() => reply({}));
