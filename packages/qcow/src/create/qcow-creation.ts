import { defineCreation } from '@diskstack/core/format';
import { QCOW_OPTIONS } from '../options/qcow-options.ts';
import { checkEncryption, keyOf, newEncryption } from './encryption-options.ts';
import { createQcow1 } from './index.ts';

/** How images of version 1 are made. The size of their file is not measured, as in qemu-img. */
export const qcowCreation = defineCreation<typeof QCOW_OPTIONS>({
  options: QCOW_OPTIONS,
  abilities: ['writeCompressed'],
  check: checkEncryption,
  keyOf,
  async write(target, { size, options, backing, signal }) {
    await createQcow1(target, { size, backing, encryption: newEncryption(options), signal });
  },
});
