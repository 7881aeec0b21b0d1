import { DiskError, type DiskModule } from '@diskstack/core';
import { diskOfReads } from './sparse-disk.ts';

/** How a read goes wrong. A read that falls short ends before the byte. */
type Fault = 'fails' | 'falls short' | 'gives nothing';

/** A storage on which every read of the byte that `fault` names goes wrong. */
export interface FlawedDisk {
  readonly disk: DiskModule;
  fault: { readonly at: number; readonly what: Fault } | undefined;
  hits: number;
}

export function flawedDisk(image: Uint8Array): FlawedDisk {
  const flawed: FlawedDisk = {
    fault: undefined,
    hits: 0,
    disk: diskOfReads(image.length, async (offset, length, { into = new Uint8Array(length) }) => {
      const { fault } = flawed;
      const isHit = fault !== undefined && fault.at >= offset && fault.at < offset + length;
      if (isHit) flawed.hits++;
      if (isHit && fault.what === 'fails') throw new DiskError('ERR_IO', 'told to fail', { offset });
      const cut = isHit ? (fault.what === 'gives nothing' ? 0 : fault.at - offset) : length;
      const bytes = into.subarray(0, cut);
      bytes.set(image.subarray(offset, offset + cut));
      return bytes;
    }),
  };
  return flawed;
}
