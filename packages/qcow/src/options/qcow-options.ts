import type { OptionSchema } from '@diskstack/core';
import { QCOW2_OPTIONS } from './qcow2-options.ts';

/** Options of new images of version 1. */
export const QCOW_OPTIONS = {
  size: QCOW2_OPTIONS.size,
  backing_file: QCOW2_OPTIONS.backing_file,
  backing_fmt: { type: 'backing-format', help: 'Format of the backing image' },
  encryption: QCOW2_OPTIONS.encryption,
  'encrypt.format': {
    type: 'text',
    help: "Encrypt the image, format choices: 'aes'",
    choices: ['aes'],
  },
  'encrypt.key-secret': { type: 'secret', help: 'ID of the secret that provides the AES encryption key' },
} as const satisfies OptionSchema;
