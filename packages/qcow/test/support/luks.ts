import { qemuImg, secretObject } from './qemu.ts';

/** How `qemu-img create -o encrypt.…` is to encrypt. */
export interface LuksOptions {
  readonly cipher: 'aes-128' | 'aes-192' | 'aes-256';
  readonly mode: 'xts' | 'cbc' | 'ctr' | 'ecb';
  readonly vectors: 'plain' | 'plain64' | 'essiv:sha256';
  readonly hash: string;
}

/** The options of a LUKS image, with a key derivation that takes no time. */
export function luks({ cipher, mode, vectors, hash }: LuksOptions): string {
  const [generator, vectorHash] = vectors.split(':');
  return [
    'encrypt.format=luks,encrypt.iter-time=10',
    `encrypt.cipher-alg=${cipher},encrypt.cipher-mode=${mode},encrypt.hash-alg=${hash}`,
    `encrypt.ivgen-alg=${generator}`,
    ...(vectorHash === undefined ? [] : [`encrypt.ivgen-hash-alg=${vectorHash}`]),
  ].join();
}

export const DEFAULT_LUKS = 'encrypt.format=luks,encrypt.iter-time=10';

/** Adds a passphrase in a second key slot. */
export async function addPassphrase(image: string, old: string, added: string): Promise<void> {
  await qemuImg(
    'amend',
    ...secretObject(old),
    ...secretObject(added, 'new'),
    '--image-opts',
    `driver=qcow2,encrypt.key-secret=key,file.filename=${image}`,
    '-o',
    'encrypt.state=active,encrypt.new-secret=new,encrypt.iter-time=10',
  );
}

/** Takes a passphrase away by clearing its key slot. */
export async function removeSlot(image: string, secret: string, slot: number): Promise<void> {
  await qemuImg(
    'amend',
    ...secretObject(secret),
    '--image-opts',
    `driver=qcow2,encrypt.key-secret=key,file.filename=${image}`,
    '-o',
    `encrypt.state=inactive,encrypt.keyslot=${slot}`,
  );
}
