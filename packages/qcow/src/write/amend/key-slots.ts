import { DiskError, type Io, type KeySlotChange } from '@diskstack/core';
import { readFully } from '@diskstack/core/format';
import {
  changeLuks1Slots,
  decodeLuks1Header,
  HEADER_BYTES,
  type Luks1SlotChange,
  portablePrimitives,
} from '@diskstack/crypto';
import { ENCRYPTION_HEADER } from '../../layout/encryption-header.ts';
import { EXTENSION_TYPE, findExtension } from '../../layout/header-extension.ts';
import type { ImageState } from '../metadata/image-state.ts';

/** Changes key slots in the LUKS header of an encrypted image. */
export async function amendKeySlots(
  { image, file }: ImageState,
  { crypto = portablePrimitives, ...change }: KeySlotChange,
  io: Io,
): Promise<void> {
  const extension = findExtension(image.extensions, EXTENSION_TYPE.encryptionHeader);
  if (image.header.cryptMethod !== 2 || extension === undefined)
    throw new DiskError('ERR_ARGUMENT', 'the image has no LUKS encryption, so it has no key slots');
  const { offset: at, length } = ENCRYPTION_HEADER.decode(extension.data, extension.at);
  if (length < HEADER_BYTES || at + length > file.disk.size())
    throw new DiskError(
      'ERR_CORRUPT',
      `an encryption header of ${length} bytes at byte ${at}, the file ends at ${file.disk.size()}`,
      { offset: extension.at },
    );
  const bytes = new Uint8Array(HEADER_BYTES);
  await readFully(file.disk, at, bytes, io);
  const header = decodeLuks1Header(bytes, at);
  const volume = { header, disk: file.disk, at, maxIterations: image.limits.maxKeyIterations };
  for (const write of await changeLuks1Slots(volume, slotChange(change), crypto, undefined, io)) {
    if (write.at + write.bytes.length > length)
      throw new DiskError('ERR_CORRUPT', `key material past the ${length} bytes of the encryption header`, {
        offset: extension.at,
      });
    await file.writeMetadata('the encryption header', at + write.at, write.bytes);
    await file.barrier();
  }
}

function slotChange({
  state,
  slot,
  passphrase,
  newPassphrase,
  iterTime,
  force,
}: KeySlotChange): Luks1SlotChange {
  if (state === 'inactive') {
    if (newPassphrase !== undefined)
      throw new DiskError('ERR_ARGUMENT', 'a key slot that is erased gets no new passphrase');
    return { state, passphrase, slot, force };
  }
  if (newPassphrase === undefined)
    throw new DiskError('ERR_ARGUMENT', 'a key slot that becomes active needs a new passphrase');
  if (passphrase === undefined)
    throw new DiskError('ERR_WRONG_KEY', 'the image is encrypted (luks), and no key was given for it', {
      hint: { option: 'keys' },
    });
  return { state, passphrase, newPassphrase, slot, force, settings: { iterTime } };
}
