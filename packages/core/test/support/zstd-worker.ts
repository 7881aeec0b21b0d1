import { parentPort, workerData } from 'node:worker_threads';
import { portableCodecs } from '../../src/codec/portable-codecs.ts';
import { zlibCodecs } from '../../src/node/zlib/zlib-codecs.ts';
import type { ZstdAnswer, ZstdTask } from './zstd-in-worker.ts';

/** Decompresses away from the thread that waits for it. */

const { codecs, stored, cluster } = workerData as ZstdTask;
const { decompress: zstd } = (codecs === 'portable' ? portableCodecs : zlibCodecs).zstd;
await zstd.ready?.();
for (const frames of stored) {
  const into = new Uint8Array(cluster);
  let answer: ZstdAnswer;
  try {
    await zstd(frames, into);
    answer = { bytes: into };
  } catch (error) {
    answer = {
      refusal: error instanceof Error ? error.message : `no Error: ${String(error)}`,
      isError: error instanceof Error,
    };
  }
  parentPort?.postMessage(answer);
}
