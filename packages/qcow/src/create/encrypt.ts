import type { Io } from '@diskstack/core';
import { type CryptoPrimitives, type PayloadCipher, SECTOR } from '@diskstack/core/format';
import { formatLuks1, luks1PayloadOffset, portablePrimitives, type RandomSource } from '@diskstack/crypto';
import { aesCipher } from '../image/encryption.ts';
import type { EncryptionShape, NewEncryption } from './options.ts';

/** The encryption of a new image. */
export interface EncryptedStart {
  /** qcow2 spec, "crypt_method". */
  readonly cryptMethod: 0 | 1 | 2;
  /** The encryption header. Empty when the method has none. */
  readonly headerBytes: Uint8Array;
  readonly cipher?: PayloadCipher;
}

export interface EncryptionServices {
  readonly crypto?: CryptoPrimitives | undefined;
  readonly random?: RandomSource | undefined;
}

/** Implements `startEncryption`. */
export async function encrypt(
  encryption: NewEncryption,
  { crypto = portablePrimitives, random }: EncryptionServices,
  io: Io,
): Promise<EncryptedStart> {
  const { passphrase } = encryption;
  if (encryption.kind === 'aes')
    return { cryptMethod: 1, headerBytes: new Uint8Array(), cipher: aesCipher(passphrase, crypto) };
  const { bytes, cipher } = await formatLuks1(
    { passphrase, settings: encryption.settings, random },
    crypto,
    io,
  );
  return { cryptMethod: 2, headerBytes: bytes, cipher: { numbering: 'host', sectorSize: SECTOR, ...cipher } };
}

/** Implements `encryptionHeaderBytes`. */
export function luksHeaderBytes({ settings }: Extract<EncryptionShape, { readonly kind: 'luks' }>): number {
  return luks1PayloadOffset(settings);
}
