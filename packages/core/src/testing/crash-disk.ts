import type { Able } from '../contracts/abilities.ts';
import type { DiskModule, Io, ReadIo } from '../contracts/disk-module.ts';
import { MemoryDisk } from '../disks/memory-disk.ts';

/** Something that was asked of a disk: `barrier` is a flush that has ended well. */
export type DiskEvent =
  | { readonly kind: 'write'; readonly offset: number; readonly data: Uint8Array }
  | { readonly kind: 'resize'; readonly size: number }
  | { readonly kind: 'barrier' };

/** A disk in memory that records all that is done to it, so that a crash can be tried at any moment of it. */
export class CrashDisk extends MemoryDisk implements DiskModule, Able<'readInto' | 'resize' | 'flush'> {
  readonly events: DiskEvent[] = [];
  readonly #start: Uint8Array;

  constructor(start: Uint8Array) {
    super(start.slice());
    this.#start = start.slice();
  }

  override async write(offset: number, data: Uint8Array, io?: Io): Promise<number> {
    const written = await super.write(offset, data, io);
    this.events.push({ kind: 'write', offset, data: data.slice() });
    return written;
  }

  override async resize(size: number, io?: ReadIo): Promise<void> {
    await super.resize(size, io);
    this.events.push({ kind: 'resize', size });
  }

  async flush(): Promise<void> {
    this.events.push({ kind: 'barrier' });
  }

  /**
   * What a crash after the first `count` events leaves: all that was done before the last barrier, and of what came
   * after it that for which `survives` says so: a disk may write in any order.
   */
  after(count: number, survives: (event: number) => boolean = () => true): Uint8Array {
    let barrier = 0;
    for (let index = 0; index < count; index++) if (this.events[index]?.kind === 'barrier') barrier = index;
    let bytes = this.#start.slice();
    const reach = (size: number): void => {
      const longer = new Uint8Array(size);
      longer.set(bytes.subarray(0, size));
      bytes = longer;
    };
    for (const [index, event] of this.events.slice(0, count).entries()) {
      if (index > barrier && event.kind !== 'barrier' && !survives(index)) continue;
      if (event.kind === 'resize') reach(event.size);
      if (event.kind !== 'write') continue;
      if (event.offset + event.data.length > bytes.length) reach(event.offset + event.data.length);
      bytes.set(event.data, event.offset);
    }
    return bytes;
  }
}
