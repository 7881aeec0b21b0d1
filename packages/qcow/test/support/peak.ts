import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { DiskModule } from '@diskstack/core';
import { diskOfReads } from './sparse-disk.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** The peak of memory while a disk is used. */
export interface Peak {
  /** The storage, which samples the memory at each read. */
  readonly disk: DiskModule;
  /** Takes a last sample. Returns the most bytes above the first sample. */
  most(): number;
}

/** Watches a storage, initialised already. What is garbage does not count; the buffer that a read is to fill does. */
export function watchPeak(storage: DiskModule): Peak {
  const before = bytesHeld();
  let most = 0;
  const look = (): number => {
    most = Math.max(most, bytesHeld() - before);
    return most;
  };
  const disk = diskOfReads(storage.size(), (offset, length, io) => {
    look();
    return storage.read(offset, length, io);
  });
  return { disk, most: look };
}

/** `external` has the bytes of all array buffers in it: to add `arrayBuffers` would count them twice. */
function bytesHeld(): number {
  collectGarbage();
  collectGarbage(); // buffers go in the second round
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
