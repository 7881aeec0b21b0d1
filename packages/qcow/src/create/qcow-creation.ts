import { DiskError } from '@diskstack/core';
import { defineCreation } from '@diskstack/core/format';
import { QCOW_OPTIONS } from '../options/qcow-options.ts';
import { createQcow1 } from './index.ts';
import { keyOf, refuseStrayKeys } from './qcow2-creation.ts';

/** How images of version 1 are made. The size of their file is not measured, as in qemu-img. */
export const qcowCreation = defineCreation<typeof QCOW_OPTIONS>({
  options: QCOW_OPTIONS,
  abilities: ['writeCompressed'],
  check: refuseStrayKeys,
  keyOf,
  async write(target, { size, options, backing, signal }) {
    const passphrase = options['encrypt.key-secret'];
    const isEncrypted = keyOf(options) !== undefined;
    if (isEncrypted && passphrase === undefined)
      throw new DiskError('ERR_WRONG_KEY', 'the image is to be encrypted, and no key was given for it');
    const encryption = isEncrypted && passphrase ? ({ kind: 'aes', passphrase } as const) : undefined;
    await createQcow1(target, { size, backing, encryption, signal });
  },
});
