import { DiskError, type LayerInfo } from '@diskstack/core';
import {
  defineCreation,
  type ImageUse,
  type NeededKey,
  type NewImage,
  type ValuesOf,
} from '@diskstack/core/format';
import { versionOf } from '../options/amend-options.ts';
import { QCOW2_OPTIONS } from '../options/qcow2-options.ts';
import { createQcow, measureQcow } from './index.ts';
import type { EncryptionShape, QcowShape } from './options.ts';

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
  const encryption = encryptionOf(options);
  const passphrase = options['encrypt.key-secret'];
  if (encryption !== undefined && passphrase === undefined)
    throw new DiskError('ERR_WRONG_KEY', 'the image is to be encrypted, and no key was given for it');
  const name = options.data_file;
  await createQcow(target, {
    ...shapeOf(options),
    size,
    lazyRefcounts: options.lazy_refcounts,
    compressionType: options.compression_type,
    backing,
    dataFile:
      name === undefined ? undefined : { name, disk: await image.makeFile(name), raw: options.data_file_raw },
    encryption: encryption && passphrase && { ...encryption, passphrase },
    crypto: encryption && (await image.crypto()),
    signal,
    onProgress,
  });
}

function check(options: Values, { compressed }: ImageUse): void {
  const refuse = (reason: string): never => {
    throw new DiskError('ERR_ARGUMENT', reason);
  };
  if (options.data_file_raw && options.data_file === undefined) refuse('data_file_raw needs a data_file');
  refuseStrayKeys(options);
  if (!compressed) return;
  const { preallocation = 'off' } = options;
  if (preallocation !== 'off') refuse('compressed clusters cannot be preallocated');
  if (encryptionOf(options) !== undefined) refuse('clusters are either compressed or encrypted');
  if (options.refcount_bits === 1)
    refuse('compressed clusters share a cluster of the image, which refcounts of one bit cannot count');
}

/** Refuses options of the encryption when there is none. */
export function refuseStrayKeys(options: Values): void {
  if (encryptionOf(options) !== undefined) return;
  const stray = Object.keys(options).find((name) => name.startsWith('encrypt.'));
  if (stray !== undefined) throw new DiskError('ERR_ARGUMENT', `${stray} without encrypt.format`);
}

export function keyOf(options: Values): NeededKey | undefined {
  const encryption = encryptionOf(options);
  return encryption && { kind: encryption.kind, option: 'encrypt.key-secret' };
}

function encryptionOf(options: Values): EncryptionShape | undefined {
  const kind = options['encrypt.format'] ?? (options.encryption ? 'aes' : undefined);
  if (kind !== 'luks') return kind && { kind };
  return {
    kind,
    settings: {
      cipher: options['encrypt.cipher-alg'],
      mode: options['encrypt.cipher-mode'],
      ivgen: options['encrypt.ivgen-alg'],
      ivgenHash: options['encrypt.ivgen-hash-alg'],
      hash: options['encrypt.hash-alg'],
      iterTime: options['encrypt.iter-time'],
    },
  };
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
