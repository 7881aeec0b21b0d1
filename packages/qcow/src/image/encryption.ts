import { DiskError, type Io, type Json } from '@diskstack/core';
import {
  type CryptoPrimitives,
  type OpenContext,
  type PayloadCipher,
  readFully,
  SECTOR,
} from '@diskstack/core/format';
import {
  decodeLuks1Header,
  HEADER_BYTES,
  type Luks1Header,
  parseMode,
  portablePrimitives,
  sectorCipher,
  unlockLuks1,
} from '@diskstack/crypto';
import { ENCRYPTION_HEADER } from '../layout/encryption-header.ts';
import { HEADER_V2 } from '../layout/header.ts';
import { EXTENSION_TYPE, findExtension } from '../layout/header-extension.ts';
import type { QcowImage } from './image.ts';

/** The cipher of an image, and what `info` reports about it. The keys are qemu-img's. */
export interface Encryption {
  readonly cipher: PayloadCipher;
  readonly info: { readonly [key: string]: Json };
}

/** qcow2 spec, "crypt_method": 1 AES, 2 LUKS. */
export async function openEncryption(image: QcowImage, context: OpenContext, io: Io): Promise<Encryption> {
  if (image.header.cryptMethod === 1) return { cipher: await legacyAes(context), info: { format: 'aes' } };
  return openLuks(image, context, io);
}

/**
 * The legacy encryption: AES-128 in CBC mode. The key is the first 16 bytes of the passphrase, the vector is the guest
 * sector number. A wrong key cannot be detected.
 */
export async function legacyAes(context: OpenContext): Promise<PayloadCipher> {
  if (isLocked(context)) return locked('guest');
  return aesCipher(await requiredKey(context, 'aes'), (await context.crypto()) ?? portablePrimitives);
}

export function aesCipher(passphrase: Uint8Array, crypto: CryptoPrimitives): PayloadCipher {
  const key = new Uint8Array(16);
  key.set(passphrase.subarray(0, key.length));
  return {
    numbering: 'guest',
    sectorSize: SECTOR,
    ...sectorCipher({ name: 'aes', mode: 'cbc-plain64' }, key, crypto),
  };
}

/**
 * qcow2 spec, "Full disk encryption header pointer": a LUKS header. Sectors are numbered by their place in the image
 * file.
 */
async function openLuks(image: QcowImage, context: OpenContext, io: Io): Promise<Encryption> {
  const { file, extensions } = image;
  const extension = findExtension(extensions, EXTENSION_TYPE.encryptionHeader);
  if (extension === undefined) {
    throw new DiskError('ERR_CORRUPT', 'crypt_method is 2 (LUKS), and there is no encryption header', {
      offset: HEADER_V2.at.cryptMethod,
    });
  }
  const { offset: at, length } = ENCRYPTION_HEADER.decode(extension.data, extension.at);
  if (length < HEADER_BYTES || at + HEADER_BYTES > file.size()) {
    throw new DiskError(
      'ERR_CORRUPT',
      `an encryption header of ${length} bytes at byte ${at}, ${HEADER_BYTES} are needed and the file ends at ${file.size()}`,
      { offset: extension.at },
    );
  }
  const bytes = new Uint8Array(HEADER_BYTES);
  await readFully(file, at, bytes, io);
  const header = decodeLuks1Header(bytes, at);
  const info = describeLuks(header);
  if (isLocked(context)) return { cipher: locked('host'), info };
  const passphrase = await requiredKey(context, 'luks');
  const cipher = await unlockLuks1(
    { header, disk: file, at, maxIterations: context.limits.maxKeyIterations },
    passphrase,
    (await context.crypto()) ?? portablePrimitives,
    io,
  );
  return { cipher: { numbering: 'host', sectorSize: SECTOR, ...cipher }, info };
}

async function requiredKey(context: OpenContext, kind: 'aes' | 'luks'): Promise<Uint8Array> {
  const key = await context.keyFor(kind);
  if (key !== undefined) return key;
  throw new DiskError('ERR_WRONG_KEY', `the image is encrypted (${kind}), and no key was given for it`, {
    hint: { option: 'keys' },
  });
}

function isLocked({ metadataOnly, withoutKeys = false }: OpenContext): boolean {
  return metadataOnly || withoutKeys;
}

/** The cipher of an image that was opened without its key: every use throws. */
function locked(numbering: PayloadCipher['numbering']): PayloadCipher {
  const refuse = (): never => {
    throw new DiskError('ERR_WRONG_KEY', 'the image is encrypted, and was opened without its key');
  };
  return { numbering, sectorSize: SECTOR, decrypt: refuse, encrypt: refuse };
}

function describeLuks(header: Luks1Header): { readonly [key: string]: Json } {
  const { mode, vectors, vectorHash } = parseMode(header.cipherMode);
  const keyBits = (header.keyBytes * 8) / (mode === 'xts' ? 2 : 1); // XTS has two keys
  return {
    ...(vectors === undefined ? {} : { 'ivgen-alg': vectors }),
    'hash-alg': header.hash,
    'cipher-alg': `${header.cipherName}-${keyBits}`,
    uuid: header.uuid,
    ...(vectors === 'essiv' && vectorHash !== undefined ? { 'ivgen-hash-alg': vectorHash } : {}),
    format: 'luks',
    'cipher-mode': mode,
    slots: header.slots.map(({ active, iterations, keyOffset, stripes }) =>
      active
        ? { active, iters: iterations, 'key-offset': keyOffset, stripes }
        : { active, 'key-offset': keyOffset },
    ),
    'payload-offset': header.payloadOffset,
    'master-key-iters': header.mkDigestIterations,
  };
}
