import { DiskError, type LayerInfo } from '@diskstack/core';
import { defineCreation, type ImageUse, type NewImage, type ValuesOf } from '@diskstack/core/format';
import { versionOf } from '../options/amend-options.ts';
import { QCOW2_OPTIONS } from '../options/qcow2-options.ts';
import { checkEncryption, encryptionOf, keyOf, newEncryption } from './encryption-options.ts';
import { createQcow, measureQcow } from './index.ts';
import type { QcowShape } from './options.ts';

type Values = ValuesOf<typeof QCOW2_OPTIONS>;

/** How images of versions 2 and 3 are made. */
export const qcow2Creation = defineCreation<typeof QCOW2_OPTIONS>({
  options: QCOW2_OPTIONS,
  abilities: ['writeCompressed', 'bitmapStore'],
  check,
  keyOf,
  measure: ({ size, options, source, hasBacking }, io) =>
    measureQcow({ ...shapeOf(options), size, source, hasBacking, encryption: encryptionOf(options) }, io),
  write,
  optionsOf,
});

async function write(
  target: Parameters<typeof createQcow>[0],
  image: NewImage<typeof QCOW2_OPTIONS>,
): Promise<void> {
  const { options, size, backing, signal, onProgress } = image;
  const encryption = newEncryption(options);
  const name = options.data_file;
  await createQcow(target, {
    ...shapeOf(options),
    size,
    lazyRefcounts: options.lazy_refcounts,
    compressionType: options.compression_type,
    backing,
    dataFile:
      name === undefined ? undefined : { name, disk: await image.makeFile(name), raw: options.data_file_raw },
    encryption,
    crypto: encryption && (await image.crypto()),
    signal,
    onProgress,
  });
}

function check(options: Values, use: ImageUse): void {
  const refuse = (reason: string): never => {
    throw new DiskError('ERR_ARGUMENT', reason);
  };
  if (options.data_file_raw && options.data_file === undefined) refuse('data_file_raw needs a data_file');
  checkEncryption(options, use);
  if (!use.compressed) return;
  const { preallocation = 'off' } = options;
  if (preallocation !== 'off') refuse('compressed clusters cannot be preallocated');
  if (options.refcount_bits === 1)
    refuse('compressed clusters share a cluster of the image, which refcounts of one bit cannot count');
}

function shapeOf(options: Values): Omit<QcowShape, 'size'> {
  return {
    version: versionOf(options.compat),
    clusterSize: options.cluster_size,
    refcountBits: options.refcount_bits,
    extendedL2: options.extended_l2,
    preallocation: options.preallocation,
  };
}

/** Reads the options back from the facts that `info` reports, which have qemu-img's names. */
function optionsOf({ clusterSize, specific }: LayerInfo): Values {
  const data = specific?.data ?? {};
  return {
    compat: data.compat,
    compression_type: data['compression-type'],
    lazy_refcounts: data['lazy-refcounts'],
    refcount_bits: data['refcount-bits'],
    extended_l2: data['extended-l2'],
    cluster_size: clusterSize,
  } as Values;
}
