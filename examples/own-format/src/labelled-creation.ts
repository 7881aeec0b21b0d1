import { can } from '@diskstack/core';
import { checkOptions, defineAmendment, defineCreation } from '@diskstack/core/format';
import { encodeHeader, SECTOR } from './labelled-header.ts';

// The command line creates, measures and amends images of this format with the schema below. It does not know the format by name.

const LABEL = { label: { type: 'text', help: 'Name of the disk, up to 32 bytes' } } as const;

export const creation = defineCreation({
  options: { size: { type: 'virtual-size', help: 'Size of the disk' }, ...LABEL },
  measure: async ({ size }) => ({ required: size + SECTOR, fullyAllocated: size + SECTOR }),
  async write(target, { size, options, signal }) {
    const header = encodeHeader(size, options.label); // throws before anything is written
    if (can(target, 'resize')) {
      await target.resize(0, { signal, shrink: true });
      await target.resize(size + SECTOR, { signal });
    }
    await target.write(0, header, { signal });
  },
});

export const amendment = defineAmendment({ options: LABEL });

/** Encodes a header with the label of an amendment. */
export function amendedHeader(size: number, options: Parameters<typeof checkOptions>[2]): Uint8Array {
  return encodeHeader(size, String(checkOptions('labelled', LABEL, options).label));
}
