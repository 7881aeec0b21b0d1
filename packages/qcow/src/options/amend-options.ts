import type { OptionSchema } from '@diskstack/core';
import { defineAmendment, type ValuesOf } from '@diskstack/core/format';
import { CHANGEABLE } from './qcow2-options.ts';

/** Options that change an existing image of versions 2 and 3. */
export const AMEND_OPTIONS = {
  ...CHANGEABLE,
  'encrypt.keyslot': { type: 'number', help: 'Select a single keyslot to modify explicitly' },
  'encrypt.new-secret': {
    type: 'secret',
    help: 'New secret to set in the matching keyslots. Empty string to erase',
  },
  'encrypt.old-secret': { type: 'secret', help: 'Select all keyslots that match this password' },
  'encrypt.state': {
    type: 'text',
    help: 'Select new state of affected keyslots (active/inactive)',
    choices: ['active', 'inactive'],
  },
} as const satisfies OptionSchema;

export type AmendValues = ValuesOf<typeof AMEND_OPTIONS>;

export const amendment = defineAmendment<typeof AMEND_OPTIONS>({
  options: AMEND_OPTIONS,
  // Version 2 has no zero clusters: they are written as data, which above a backing file needs the chain.
  needsContent: ({ compat }) => compat === '0.10',
});

/** The `compat` option as the version of the format. */
export function versionOf(compat: '0.10' | '1.1' | undefined): 2 | 3 | undefined {
  return compat === undefined ? undefined : compat === '0.10' ? 2 : 3;
}
