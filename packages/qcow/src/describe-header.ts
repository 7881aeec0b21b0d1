import { decodeText, type Json, type NamedDisk } from '@diskstack/core';
import { type QcowInfo, sharedInfo } from './info.ts';
import { COMPATIBLE, INCOMPATIBLE } from './layout/feature-bits.ts';
import type { Header } from './layout/header.ts';

/** What `info` says of an image of version 2 or 3. The keys of `specific` are qemu-img's. */
export function describeHeader(header: Header, named: NamedDisk | undefined): QcowInfo {
  const backingFileName = named === undefined ? '' : decodeText(named.name);
  const has = (bit: bigint): boolean => (header.incompatibleFeatures & bit) !== 0n;
  return {
    format: 'qcow2',
    ...sharedInfo(header.version, header.size, 2 ** header.clusterBits, backingFileName),
    dirty: has(INCOMPATIBLE.dirty),
    ...(named === undefined ? {} : { backing: backing(backingFileName, named.format) }),
    specific: { type: 'qcow2', data: specificData(header) },
    warnings: [
      ...(has(INCOMPATIBLE.dirty)
        ? ['the image was not closed cleanly (dirty bit); its refcounts may be wrong']
        : []),
      ...(has(INCOMPATIBLE.corrupt) ? ['the image is marked corrupt; what is read may be wrong'] : []),
    ],
  };
}

function backing(name: string, format: string | undefined) {
  return format === undefined ? { name } : { name, format };
}

function specificData(header: Header): { readonly [key: string]: Json } {
  const compression = { 'compression-type': header.compressionType === 1 ? 'zstd' : 'zlib' };
  const refcounts = { 'refcount-bits': 2 ** header.refcountOrder };
  if (header.version < 3) return { compat: '0.10', ...compression, ...refcounts };
  return {
    compat: '1.1',
    ...compression,
    'lazy-refcounts': (header.compatibleFeatures & COMPATIBLE.lazyRefcounts) !== 0n,
    ...refcounts,
    corrupt: (header.incompatibleFeatures & INCOMPATIBLE.corrupt) !== 0n,
    'extended-l2': (header.incompatibleFeatures & INCOMPATIBLE.extendedL2) !== 0n,
  };
}
