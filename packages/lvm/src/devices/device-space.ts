import {
  type Able,
  can,
  DiskError,
  type DiskExtent,
  type DiskModule,
  type ExtentsIo,
  type Io,
  quote,
  type ReadIo,
  readFully,
  roundUp,
  sourceOf,
} from '@diskstack/core';

/** A disk that logical volumes stand on: a physical volume, or an image of a RAID set that is computed from the others. */
export interface Device {
  readonly disk: DiskModule;
  /** For messages. */
  readonly name: string;
  /** Its bytes are computed: they are stored nowhere as they are. */
  readonly isComputed: boolean;
  /** Where its byte 0 is in the address space. */
  readonly base: number;
}

/** Devices begin at multiples of this, and are at least so far apart: extents of two devices are never neighbours. */
const ALIGNMENT = 1024 * 1024;

/** The devices of a volume group, each with a place in one address space: an extent then needs no more than one number. */
export class DeviceTable {
  readonly #devices: Device[] = [];
  #end = 0;

  add(disk: DiskModule, name: string, isComputed = false): Device {
    const known = this.#devices.find((device) => device.disk === disk);
    if (known !== undefined) return known;
    const device = { disk, name, isComputed, base: this.#end };
    const end = roundUp(this.#end + disk.size(), ALIGNMENT) + ALIGNMENT;
    if (!Number.isSafeInteger(end))
      throw new DiskError(
        'ERR_LIMIT',
        'the disks of the volume group have more than 2^53 - 1 bytes together',
      );
    this.#end = end;
    this.#devices.push(device);
    return device;
  }

  /** Bytes of the address space. */
  get size(): number {
    return this.#end;
  }

  /** The device that holds all of these bytes. */
  at(address: number, length: number): Device {
    let low = 0;
    let high = this.#devices.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#devices[middle]?.base ?? 0) <= address) low = middle;
      else high = middle - 1;
    }
    const device = this.#devices[low];
    if (device === undefined)
      throw new DiskError('ERR_STATE', `no device at ${address}: a defect of the layout`);
    const within = address - device.base;
    if (within + length <= device.disk.size()) return device;
    throw new DiskError(
      'ERR_TRUNCATED',
      `bytes up to ${within + length} are needed of ${quote(device.name)}, which ends at ${device.disk.size()}`,
      { offset: within },
    );
  }
}

/** The address space as a disk, for one handle on a logical volume. The devices are the group's: closing leaves them open. */
export class DeviceSpace implements DiskModule, Able<'readInto' | 'extents' | 'flush'> {
  readonly diskType = '';
  readonly blockSize: number;
  readonly writable: boolean;
  readonly #table: DeviceTable;
  readonly #used: readonly Device[];

  /** `used`: the devices that the volume stands on. */
  constructor(table: DeviceTable, used: Iterable<Device>) {
    this.#table = table;
    this.#used = [...used];
    this.blockSize = Math.max(512, ...this.#used.map(({ disk }) => disk.blockSize));
    this.writable = this.#used.every(({ disk }) => disk.writable);
  }

  async init(): Promise<void> {}

  size(): number {
    return this.#table.size;
  }

  async read(offset: number, length: number, io: ReadIo = {}): Promise<Uint8Array> {
    const into = io.into?.subarray(0, length) ?? new Uint8Array(length);
    await this.readInto(offset, into, io);
    return into;
  }

  readInto(offset: number, into: Uint8Array, io: Io = {}): Promise<void> | undefined {
    const { disk, base } = this.#table.at(offset, into.length);
    return readFully(disk, offset - base, into, io);
  }

  async write(offset: number, data: Uint8Array, io: Io = {}): Promise<number> {
    const { disk, base } = this.#table.at(offset, data.length);
    return await disk.write(offset - base, data, io);
  }

  async *extents(offset = 0, length = this.size() - offset, io: ExtentsIo = {}): AsyncIterable<DiskExtent> {
    const { disk, base, isComputed } = this.#table.at(offset, length);
    if (!can(disk, 'extents')) {
      const place = isComputed ? {} : { at: offset - base, source: disk };
      yield { offset, length, kind: 'data', depth: 0, present: true, ...place };
      return;
    }
    for await (const extent of disk.extents(offset - base, length, io)) {
      const { kind, length: run, at } = extent;
      const place = at === undefined ? {} : { at, source: sourceOf(disk, extent) };
      yield { offset: extent.offset + base, length: run, kind, depth: 0, present: true, ...place };
    }
  }

  async flush(io: Io = {}): Promise<void> {
    for (const { disk } of this.#used) if (can(disk, 'flush')) await disk.flush(io);
  }

  async close(): Promise<void> {}

  getBase(): DiskModule {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
