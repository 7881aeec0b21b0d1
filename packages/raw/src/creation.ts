import { can, DiskError } from '@diskstack/core';
import { defineCreation } from '@diskstack/core/format';

/** How raw images are created: the disk gets the size of the image. Its old content is removed. */
export const rawCreation = defineCreation({
  options: { size: { type: 'virtual-size', help: 'Virtual disk size' } },
  plain: true,
  measure: async ({ size }) => ({ required: size, fullyAllocated: size }),
  async write(target, { size, signal }) {
    if (!can(target, 'resize')) {
      if (target.size() >= size) return; // a device has a fixed size
      throw new DiskError('ERR_NO_SPACE', `the image needs ${size} bytes, the disk has ${target.size()}`);
    }
    await target.resize(0, { signal, shrink: true });
    await target.resize(size, { signal });
  },
});
