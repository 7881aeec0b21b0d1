import { type AmendOptions, DiskError } from '@diskstack/core';
import { type CryptoPrimitives, checkOptions } from '@diskstack/core/format';
import type { Luks1SlotChange } from '@diskstack/crypto';
import { AMEND_OPTIONS, type AmendValues, versionOf } from '../../options/amend-options.ts';
import type { WriteParts } from '../data/write-context.ts';

/** A change of the key slots, and the ciphers for it. */
export interface KeySlotChange {
  readonly change: Luks1SlotChange;
  readonly crypto: CryptoPrimitives | undefined;
}

/** What is to change. What is absent stays. */
export interface Amendment {
  readonly version: 2 | 3 | undefined;
  readonly lazyRefcounts: boolean | undefined;
  readonly refcountBits: number | undefined;
  readonly dataFile: string | undefined;
  readonly dataFileRaw: boolean | undefined;
  readonly keySlots: KeySlotChange | undefined;
}

/** Reads the options of `amend`. `ERR_ARGUMENT` for what the format does not have. */
export async function readAmendment(
  { options, force }: AmendOptions,
  access: WriteParts['access'],
): Promise<Amendment> {
  const values = checkOptions('qcow2', AMEND_OPTIONS, options);
  if (values.size !== undefined)
    throw new DiskError('ERR_ARGUMENT', 'size is not among the features: resize() changes it');
  return {
    version: versionOf(values.compat),
    lazyRefcounts: values.lazy_refcounts,
    refcountBits: values.refcount_bits,
    dataFile: values.data_file,
    dataFileRaw: values.data_file_raw,
    keySlots: await keySlotsOf(values, force, access),
  };
}

async function keySlotsOf(
  values: AmendValues,
  force: boolean | undefined,
  access: WriteParts['access'],
): Promise<KeySlotChange | undefined> {
  if (!Object.keys(values).some((name) => name.startsWith('encrypt.'))) return undefined;
  const change = await slotChange(values, force, access);
  return { change, crypto: await access.crypto() };
}

async function slotChange(
  values: AmendValues,
  force: boolean | undefined,
  access: WriteParts['access'],
): Promise<Luks1SlotChange> {
  const state = values['encrypt.state'];
  const newPassphrase = values['encrypt.new-secret'];
  const slot = values['encrypt.keyslot'];
  const old = values['encrypt.old-secret'];
  if (state === undefined)
    throw new DiskError('ERR_ARGUMENT', 'encrypt.state is active or inactive, and is missing');
  if (state === 'inactive') {
    if (newPassphrase !== undefined)
      throw new DiskError('ERR_ARGUMENT', 'a key slot that is erased gets no new passphrase');
    return { state, passphrase: old, slot, force };
  }
  if (newPassphrase === undefined)
    throw new DiskError('ERR_ARGUMENT', 'a key slot that becomes active needs a new passphrase');
  const passphrase = old ?? (await access.keyFor('luks')); // any passphrase of the image will do
  if (passphrase === undefined)
    throw new DiskError('ERR_WRONG_KEY', 'the image is encrypted (luks), and no key was given for it');
  return {
    state,
    passphrase,
    newPassphrase,
    slot,
    force,
    settings: { iterTime: values['encrypt.iter-time'] },
  };
}
