import { DiskError } from '@diskstack/core';
import type { ImageUse, NeededKey, ValuesOf } from '@diskstack/core/format';
import type { QCOW2_OPTIONS } from '../options/qcow2-options.ts';
import type { EncryptionShape, NewEncryption } from './options.ts';

type Values = ValuesOf<typeof QCOW2_OPTIONS>;

/** Refuses options of the encryption when there is none, and compressed clusters when there is one. */
export function checkEncryption(options: Values, { compressed }: ImageUse): void {
  const encryption = encryptionOf(options);
  if (encryption !== undefined) {
    if (compressed) throw new DiskError('ERR_ARGUMENT', 'clusters are either compressed or encrypted');
    return;
  }
  const stray = Object.keys(options).find((name) => name.startsWith('encrypt.'));
  if (stray !== undefined) throw new DiskError('ERR_ARGUMENT', `${stray} without encrypt.format`);
}

/** The key that the options need. */
export function keyOf(options: Values): NeededKey | undefined {
  const encryption = encryptionOf(options);
  return encryption && { kind: encryption.kind, option: 'encrypt.key-secret' };
}

/** The encryption with its passphrase; `undefined` without encryption. `ERR_WRONG_KEY` if the passphrase is missing. */
export function newEncryption(options: Values): NewEncryption | undefined {
  const encryption = encryptionOf(options);
  if (encryption === undefined) return undefined;
  const passphrase = options['encrypt.key-secret'];
  if (passphrase !== undefined) return { ...encryption, passphrase };
  throw new DiskError('ERR_WRONG_KEY', 'the image is to be encrypted, and no key was given for it', {
    hint: { option: 'keys' },
  });
}

export function encryptionOf(options: Values): EncryptionShape | undefined {
  const kind = options['encrypt.format'] ?? (options.encryption ? 'aes' : undefined);
  if (kind !== 'luks') return kind && { kind };
  return {
    kind,
    settings: {
      cipher: options['encrypt.cipher-alg'],
      mode: options['encrypt.cipher-mode'],
      ivgen: options['encrypt.ivgen-alg'],
      ivgenHash: options['encrypt.ivgen-hash-alg'],
      hash: options['encrypt.hash-alg'],
      iterTime: options['encrypt.iter-time'],
    },
  };
}
