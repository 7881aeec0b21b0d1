import { readFile, writeFile } from 'node:fs/promises';

const OFFSET_MASK = 0x00ff_ffff_ffff_fe00n;

/** Damages an image of another writer. Structures are addressed by the fields of the specification. */
export class ImagePatch {
  bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get clusterSize(): number {
    return 2 ** this.bytes.readUInt32BE(20);
  }
  get l1At(): number {
    return this.place(40);
  }
  get refcountTableAt(): number {
    return this.place(48);
  }
  get snapshotsAt(): number {
    return this.place(64);
  }

  /** The offset that a 64-bit field or a table entry names, without its flags. */
  place(at: number): number {
    return Number(this.bytes.readBigUInt64BE(at) & OFFSET_MASK);
  }

  l2At(l1Index = 0): number {
    return this.place(this.l1At + l1Index * 8);
  }

  /** Byte of an L2 entry of 8 bytes. */
  l2EntryAt(index: number, l1Index = 0): number {
    return this.l2At(l1Index) + index * 8;
  }

  /** Byte of the data of a header extension. */
  extensionAt(type: number): number {
    for (let at = this.bytes.readUInt32BE(100); at < this.clusterSize; ) {
      const length = this.bytes.readUInt32BE(at + 4);
      if (this.bytes.readUInt32BE(at) === type) return at + 8;
      at += 8 + Math.ceil(length / 8) * 8;
    }
    throw new Error(`no header extension 0x${type.toString(16)}`);
  }

  /** Replaces a 64-bit field or entry by what `change` makes of it. */
  u64(at: number, change: (value: bigint) => bigint): void {
    this.bytes.writeBigUInt64BE(BigInt.asUintN(64, change(this.bytes.readBigUInt64BE(at))), at);
  }

  /** Appends clusters that no refcount counts. */
  append(bytes: Uint8Array): void {
    this.bytes = Buffer.concat([this.bytes, bytes]);
  }

  u32(at: number, value: number): void {
    this.bytes.writeUInt32BE(value, at);
  }

  /** The refcount of a host cluster, where refcounts have 16 bits and one block holds it. */
  refcount(cluster: number, value: number): void {
    this.bytes.writeUInt16BE(value, this.place(this.refcountTableAt) + cluster * 2);
  }
}

/** Patches an image in place. `keep` returns the bytes to keep. Default: all. */
export async function patchImage(
  path: string,
  patch: (image: ImagePatch) => void,
  keep?: (image: ImagePatch) => number,
): Promise<void> {
  const image = new ImagePatch(await readFile(path));
  patch(image);
  await writeFile(path, keep === undefined ? image.bytes : image.bytes.subarray(0, keep(image)));
}
