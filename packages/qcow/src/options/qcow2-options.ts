import type { OptionSchema } from '@diskstack/core';

// The names and the help are qemu-img's, and so is the order.

/** Options that a new image has and an existing one may change. */
export const CHANGEABLE = {
  size: { type: 'virtual-size', help: 'Virtual disk size' },
  compat: {
    type: 'text',
    help: 'Compatibility level (v2 [0.10] or v3 [1.1])',
    choices: ['0.10', '1.1'],
    aliases: { v2: '0.10', v3: '1.1' },
  },
  data_file: { type: 'file', help: 'File name of an external data file' },
  data_file_raw: { type: 'flag', help: 'The external data file must stay valid as a raw image' },
  lazy_refcounts: { type: 'flag', help: 'Postpone refcount updates', default: false },
  refcount_bits: { type: 'number', help: 'Width of a reference count entry in bits', default: 16 },
  'encrypt.iter-time': { type: 'number', help: 'Time to spend in PBKDF in milliseconds' },
} as const satisfies OptionSchema;

/** Options of new images of versions 2 and 3. */
export const QCOW2_OPTIONS = {
  encryption: {
    type: 'flag',
    help: "Encrypt the image with format 'aes'. (Deprecated in favor of encrypt.format=aes)",
  },
  'encrypt.format': {
    type: 'text',
    help: "Encrypt the image, format choices: 'aes', 'luks'",
    choices: ['luks', 'aes'],
  },
  'encrypt.key-secret': { type: 'secret', help: 'ID of secret providing qcow AES key or LUKS passphrase' },
  'encrypt.cipher-alg': { type: 'text', help: 'Name of encryption cipher algorithm' },
  'encrypt.cipher-mode': { type: 'text', help: 'Name of encryption cipher mode' },
  'encrypt.ivgen-alg': { type: 'text', help: 'Name of IV generator algorithm' },
  'encrypt.ivgen-hash-alg': { type: 'text', help: 'Name of IV generator hash algorithm' },
  'encrypt.hash-alg': { type: 'text', help: 'Name of encryption hash algorithm' },
  'encrypt.iter-time': CHANGEABLE['encrypt.iter-time'],
  cluster_size: { type: 'size', help: 'qcow2 cluster size', default: 65_536 },
  extended_l2: { type: 'flag', help: 'Extended L2 tables', default: false },
  preallocation: {
    type: 'text',
    help: 'Preallocation mode (allowed values: off, metadata, falloc, full)',
    choices: ['off', 'metadata', 'falloc', 'full'],
  },
  compression_type: {
    type: 'text',
    help: 'Compression method used for image cluster compression',
    choices: ['zlib', 'zstd'],
    default: 'zlib',
  },
  size: CHANGEABLE.size,
  compat: CHANGEABLE.compat,
  backing_file: { type: 'backing-file', help: 'File name of a base image' },
  backing_fmt: { type: 'backing-format', help: 'Image format of the base image' },
  data_file: CHANGEABLE.data_file,
  data_file_raw: CHANGEABLE.data_file_raw,
  lazy_refcounts: CHANGEABLE.lazy_refcounts,
  refcount_bits: CHANGEABLE.refcount_bits,
} as const satisfies OptionSchema;
