import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { DiskModule } from '@diskstack/core';
import { diskOfReads } from './sparse-disk.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** The most memory that is held while a disk is worked with. */
export interface Peak {
  /** Reads the same bytes as the storage given, and looks at the memory at each read. */
  readonly disk: DiskModule;
  /** Looks now, too, and answers the most bytes that were held beyond those of the beginning. */
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
