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
  sourceOf,
} from '@diskstack/core';
import { readFully, roundUp } from '@diskstack/core/format';

/** A disk below logical volumes: a physical volume, or a missing RAID image that is computed from the other images. */
export interface Device {
  readonly disk: DiskModule;
  /** For messages. */
  readonly name: string;
  /** The bytes are computed. They are stored nowhere, so `extents` reports no place for them. */
  readonly isComputed: boolean;
  /** The address of its byte 0 in the address space of the group. */
  readonly base: number;
}

/** Devices start at multiples of this and are at least this far apart, so extents of two devices never merge. */
const ALIGNMENT = 1024 * 1024;

/** The devices of a volume group in one address space. One number then names the device and the offset in it. */
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
        `the disks of the volume group need ${end} bytes of addresses; at most 2^53 - 1 are possible`,
      );
    this.#end = end;
    this.#devices.push(device);
    return device;
  }

  /** Size of the address space in bytes. */
  get size(): number {
    return this.#end;
  }

  /** The device that holds all `length` bytes at `address`. Throws `ERR_TRUNCATED` if the device is too short. */
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
      throw new DiskError('ERR_INTERNAL', `no device at address ${address} of the volume group`);
    const within = address - device.base;
    if (within + length <= device.disk.size()) return device;
    throw new DiskError(
      'ERR_TRUNCATED',
      `bytes up to ${within + length} of ${quote(device.name)} are needed, which ends at ${device.disk.size()}`,
      { offset: within },
    );
  }
}

/** The address space as a disk, for one open logical volume. Closing it leaves the devices open: the group shares them. */
export class DeviceSpace implements DiskModule, Able<'readInto' | 'extents' | 'flush'> {
  readonly diskType = '';
  readonly blockSize: number;
  readonly writable: boolean;
  readonly #table: DeviceTable;
  readonly #used: readonly Device[];

  /** @param used the devices below the volume: they determine `blockSize`, `writable` and what `flush` flushes */
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
