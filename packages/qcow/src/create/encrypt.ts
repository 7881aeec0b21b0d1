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

export async function startEncryption(
  encryption: NewEncryption | undefined,
  { crypto = portablePrimitives, random }: EncryptionServices,
  io: Io,
): Promise<EncryptedStart> {
  if (encryption === undefined) return { cryptMethod: 0, headerBytes: new Uint8Array() };
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

/** Bytes of the encryption header, known before it is made: deriving keys takes seconds. */
export function encryptionHeaderBytes(encryption: EncryptionShape | undefined): number {
  return encryption?.kind === 'luks' ? luks1PayloadOffset(encryption.settings) : 0;
}
