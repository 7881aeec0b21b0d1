/** qcow2 spec, "Snapshot table entry", for what no tool would write. */
export interface SnapshotSpec {
  readonly l1TableOffset: number;
  readonly l1Size: number;
  readonly id: string | Uint8Array;
  readonly name: string | Uint8Array;
  /** All extra data. Default: 24 bytes with the disk size. */
  readonly extra?: Uint8Array;
  readonly diskSize?: number;
  /** The 32-bit field of version 2. */
  readonly vmStateSize?: number;
}

/** The entries one after the other, each padded to 8 bytes. */
export function snapshotTable(specs: readonly SnapshotSpec[]): Uint8Array {
  return Buffer.concat(specs.map(entry));
}

function entry(spec: SnapshotSpec): Buffer {
  const [id, name] = [Buffer.from(spec.id), Buffer.from(spec.name)];
  const extra = spec.extra ?? knownExtra(spec.diskSize ?? 65_536);
  const fixed = Buffer.alloc(40);
  fixed.writeBigUInt64BE(BigInt(spec.l1TableOffset), 0);
  fixed.writeUInt32BE(spec.l1Size, 8);
  fixed.writeUInt16BE(id.length, 12);
  fixed.writeUInt16BE(name.length, 14);
  fixed.writeUInt32BE(1_700_000_000, 16);
  fixed.writeUInt32BE(123_456_789, 20);
  fixed.writeBigUInt64BE(5_000_000_007n, 24);
  fixed.writeUInt32BE(spec.vmStateSize ?? 0, 32);
  fixed.writeUInt32BE(extra.length, 36);
  const whole = Buffer.concat([fixed, extra, id, name]);
  return Buffer.concat([whole, Buffer.alloc((8 - (whole.length % 8)) % 8)]);
}

/** VM state size, disk size, and an instruction count that says "not known". */
export function knownExtra(diskSize: number, icount = 2n ** 64n - 1n): Buffer {
  const extra = Buffer.alloc(24);
  extra.writeBigUInt64BE(BigInt(diskSize), 8);
  extra.writeBigUInt64BE(icount, 16);
  return extra;
}
