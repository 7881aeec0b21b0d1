import { untilAborted } from '../async/until-aborted.ts';
import type { Abilities } from '../contracts/abilities.ts';
import type { DiskModule, Io, ReadIo } from '../contracts/disk-module.ts';
import { PassThroughDisk } from '../disks/pass-through.ts';
import { DiskError } from '../errors/disk-error.ts';
import { readFully } from '../io/range.ts';

/** What goes wrong on a `faultDisk`, and when. Reads and writes are counted separately, from 1. */
export interface FaultDiskOptions {
  /** Number of the read call that returns fewer bytes than it should. */
  readonly shortReadAt?: number;
  /** Number of bytes missing from that read. Default: 1. */
  readonly missingBytes?: number;
  /** Number of the read call that fails. */
  readonly failAt?: number;
  /** Number of the write call that fails and writes nothing. */
  readonly failWriteAt?: number;
  /** What a failing call throws. Default: a `DiskError` with `ERR_IO`. */
  readonly error?: Error;
  /** Delay before a call, in milliseconds: for every call, or by its number. An aborted signal ends the wait. */
  readonly delayMs?: number | ((call: number) => number);
  /** Offers `readInto`. Default: false, all reads go through `read`. */
  readonly readInto?: boolean;
}

/** A disk that fails on request and counts its calls. */
export interface FaultDisk extends DiskModule, Partial<Pick<Abilities, 'readInto'>> {
  /** Read calls so far. */
  readonly reads: number;
  /** Write calls so far. */
  readonly writes: number;
  /** Number of calls in flight. */
  readonly inFlight: number;
  /** The most calls that were in flight at the same time. */
  readonly mostInFlight: number;
}

/**
 * Wraps a disk in one that fails, reads short or is slow, as the options say. The wrapper owns the disk. It keeps the abilities
 * of the disk, but does not count them or make them fail.
 */
export function faultDisk(disk: DiskModule, options: FaultDiskOptions = {}): FaultDisk {
  return new FaultyDisk(disk, options);
}

class FaultyDisk extends PassThroughDisk implements FaultDisk {
  reads = 0;
  writes = 0;
  inFlight = 0;
  mostInFlight = 0;
  readonly #disk: DiskModule;
  readonly #options: FaultDiskOptions;

  constructor(disk: DiskModule, options: FaultDiskOptions) {
    super(disk);
    this.#disk = disk;
    this.#options = options;
    if (!options.readInto) Object.defineProperty(this, 'readInto', { value: undefined });
  }

  override async read(offset: number, length: number, io: ReadIo = {}): Promise<Uint8Array> {
    this.#enter();
    const call = ++this.reads;
    try {
      if (this.#delay(call) > 0) await this.#wait(call, io.signal);
      if (call === this.#options.failAt) throw this.#failure('read', call, offset);
      if (call !== this.#options.shortReadAt) return await this.#disk.read(offset, length, io);
      const whole = Math.min(length, Math.max(0, this.#disk.size() - offset));
      return await this.#disk.read(offset, Math.max(0, whole - (this.#options.missingBytes ?? 1)), io);
    } finally {
      this.#leave();
    }
  }

  override readInto(offset: number, into: Uint8Array, io: Io = {}): Promise<void> | undefined {
    this.#enter();
    const call = ++this.reads;
    const start = (): Promise<void> | undefined => {
      if (call === this.#options.failAt) throw this.#failure('read', call, offset);
      if (call !== this.#options.shortReadAt) return readFully(this.#disk, offset, into, io);
      throw new DiskError('ERR_SHORT_READ', `read ${call} reads short by request of the test`, { offset });
    };
    let reading: Promise<void> | undefined;
    try {
      reading = this.#delay(call) > 0 ? this.#wait(call, io.signal).then(start) : start();
    } catch (error) {
      this.#leave();
      throw error;
    }
    if (reading !== undefined) return reading.finally(() => this.#leave());
    this.#leave();
    return undefined;
  }

  override async write(offset: number, data: Uint8Array, io: Io = {}): Promise<number> {
    this.#enter();
    const call = ++this.writes;
    try {
      if (this.#delay(call) > 0) await this.#wait(call, io.signal);
      if (call === this.#options.failWriteAt) throw this.#failure('write', call, offset);
      return await this.#disk.write(offset, data, io);
    } finally {
      this.#leave();
    }
  }

  #enter(): void {
    this.life.enter();
    this.inFlight++;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
  }

  #leave(): void {
    this.inFlight--;
    this.life.leave();
  }

  #delay(call: number): number {
    const { delayMs = 0 } = this.#options;
    return typeof delayMs === 'number' ? delayMs : delayMs(call);
  }

  #wait(call: number, signal: AbortSignal | undefined): Promise<void> {
    const waiting = new Promise<void>((resolve) => {
      setTimeout(resolve, this.#delay(call));
    });
    return untilAborted(waiting, signal);
  }

  #failure(what: string, call: number, offset: number): Error {
    return (
      this.#options.error ??
      new DiskError('ERR_IO', `${what} ${call} fails by request of the test`, { offset })
    );
  }
}
