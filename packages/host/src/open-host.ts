import type { Host } from '@diskstack/core/node';
import type { Binding } from './bindings/binding.ts';
import { koffi } from './bindings/koffi.ts';
import { nodeFfi } from './bindings/node-ffi.ts';
import { fallocateSpace } from './calls/fallocate.ts';
import { ofdLocks } from './calls/fcntl.ts';
import { ioctlClone } from './calls/ioctl-clone.ts';
import { lseekHoles } from './calls/lseek.ts';

/** Ways to call the C library, the best first. */
const BINDINGS: readonly (() => Binding | undefined)[] = [nodeFfi, koffi];

/**
 * What this operating system can do beyond Node's `fs`. An ability that it lacks is absent: without `node:ffi` and the package `koffi`,
 * and on systems other than Linux with 64 bits, all are. It never fails.
 *
 * Pass it to the driver of files, which calls it when a disk needs an ability first: `fileDriver({ host: openHost })`.
 *
 * Node prints an ExperimentalWarning about `node:ffi` once. `--disable-warning=ExperimentalWarning` turns it off.
 */
export function openHost(): Promise<Host> {
  opened ??= Promise.resolve(findAbilities());
  return opened;
}

/** Bindings live as long as the process: one for each thread. */
let opened: Promise<Host> | undefined;

function findAbilities(): Host {
  if (process.platform !== 'linux' || !/64|s390x/.test(process.arch)) return {}; // the types and numbers differ there
  for (const open of BINDINGS) {
    const binding = open();
    if (binding === undefined) continue;
    return {
      holes: lseekHoles(binding),
      locks: ofdLocks(binding),
      space: fallocateSpace(binding),
      clones: ioctlClone(binding),
    };
  }
  return {};
}
