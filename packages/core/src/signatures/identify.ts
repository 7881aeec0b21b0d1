import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { readFully } from '../io/range.ts';
import { readProbeWindow } from '../probe/window.ts';
import { extName } from './ext.ts';
import { imageMagics } from './images.ts';
import { CONTAINERS, FILE_SYSTEMS, type Magic, type Signature } from './table.ts';

/** What a disk holds, by its magic number: nothing was opened. */
export interface Content {
  /** `'ext4'`, `'swap'`, `'LUKS2'`. */
  readonly name: string;
  /** Why nothing looks into it, where it is a layer that could hold further disks. */
  readonly unread?: string | undefined;
}

/** Bytes that hold the places of all magic numbers but those that are counted from the end, and the farthest. */
const HEAD = 68 * 1024;

/** A disk may hold an image, of a format that no one has registered: its volumes cannot be seen. */
async function imageOf(disk: DiskModule, io: Io): Promise<Content | undefined> {
  const [image] = imageMagics(await readProbeWindow(disk, io));
  return image && { name: image.name, unread: `${image.title}: recognised, and not read` };
}

/** Names the content of a disk. Reads its first bytes, and a few at its end. */
export async function identify(disk: DiskModule, io: Io): Promise<Content | undefined> {
  const size = disk.size();
  const head = new Uint8Array(Math.min(HEAD, size));
  await readFully(disk, 0, head, io);

  const stands = async ({ at, bytes }: Magic): Promise<boolean> => {
    const place = typeof at === 'number' ? at : at(size);
    if (place < 0 || place + bytes.length > size) return false;
    let found = head.subarray(place, place + bytes.length);
    if (found.length < bytes.length) {
      found = new Uint8Array(bytes.length);
      await readFully(disk, place, found, io);
    }
    return bytes.every((byte, index) => found[index] === byte);
  };
  const first = async (signatures: readonly Signature[]): Promise<Signature | undefined> => {
    for (const signature of signatures) {
      let isThere = true;
      for (const magic of signature.magic) isThere &&= await stands(magic);
      if (isThere) return signature;
    }
    return undefined;
  };

  const found = (await first(CONTAINERS)) ?? (await first(FILE_SYSTEMS));
  if (found === undefined) return await imageOf(disk, io);
  return { name: found.name === 'ext' ? extName(head) : found.name, unread: found.unread };
}
