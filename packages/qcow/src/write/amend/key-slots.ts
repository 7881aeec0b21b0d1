import { DiskError, type Io } from '@diskstack/core';
import { readFully } from '@diskstack/core/format';
import { changeLuks1Slots, decodeLuks1Header, HEADER_BYTES, portablePrimitives } from '@diskstack/crypto';
import { ENCRYPTION_HEADER } from '../../layout/encryption-header.ts';
import { EXTENSION_TYPE, findExtension } from '../../layout/header-extension.ts';
import type { ImageState } from '../metadata/image-state.ts';
import type { KeySlotChange } from './amendment.ts';

/** Changes key slots in the LUKS header of an encrypted image. */
export async function amendKeySlots(
  { image, file }: ImageState,
  { change, crypto = portablePrimitives }: KeySlotChange,
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
  for (const write of await changeLuks1Slots(volume, change, crypto, undefined, io)) {
    if (write.at + write.bytes.length > length)
      throw new DiskError('ERR_CORRUPT', `key material past the ${length} bytes of the encryption header`, {
        offset: extension.at,
      });
    await file.writeMetadata('the encryption header', at + write.at, write.bytes);
    await file.barrier();
  }
}
