import type { Io } from '@diskstack/core';
import type { EncryptedStart, EncryptionServices } from './encrypt.ts';
import type { EncryptionShape, NewEncryption } from './options.ts';

/** Starts the encryption of a new image. Loads the ciphers only if there is one: that takes 17 ms. */
export async function startEncryption(
  encryption: NewEncryption | undefined,
  services: EncryptionServices,
  io: Io,
): Promise<EncryptedStart> {
  if (encryption === undefined) return { cryptMethod: 0, headerBytes: new Uint8Array() };
  return (await import('./encrypt.ts')).encrypt(encryption, services, io);
}

/** Bytes of the encryption header, known before it is made: deriving keys takes seconds. */
export async function encryptionHeaderBytes(encryption: EncryptionShape | undefined): Promise<number> {
  return encryption?.kind === 'luks' ? (await import('./encrypt.ts')).luksHeaderBytes(encryption) : 0;
}
