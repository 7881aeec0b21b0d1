import type { Abilities } from '../contracts/abilities.ts';
import type { Io } from '../contracts/disk-module.ts';
import { MemoryDisk } from '../disks/memory-disk.ts';
import { PassThroughDisk } from '../disks/pass-through.ts';

/** A recorded operation of a disk. `barrier`: a flush that succeeded. */
export type DiskEvent =
  | { readonly kind: 'write'; readonly offset: number; readonly data: Uint8Array }
  | { readonly kind: 'resize'; readonly size: number }
  | { readonly kind: 'barrier' };

/**
 * A disk in memory that records its changes, so that a test can simulate a crash at any point. It has the abilities that it
 * records, and no other ability that changes a disk.
 */
export class CrashDisk extends PassThroughDisk {
  readonly events: DiskEvent[] = [];
  readonly #memory: MemoryDisk;
  readonly #start: Uint8Array;

  constructor(start: Uint8Array) {
    const memory = new MemoryDisk(start.slice());
    super(memory, { only: ['extents'] });
    this.#memory = memory;
    this.#start = start.slice();
  }

  /** The current content. */
  get bytes(): Uint8Array {
    return this.#memory.bytes;
  }

  protected override async put(offset: number, data: Uint8Array, io: Io): Promise<void> {
    await super.put(offset, data, io);
    this.events.push({ kind: 'write', offset, data: data.slice() });
  }

  override get resize(): Abilities['resize'] {
    return (size, io) =>
      this.life.whileOpen(async () => {
        await this.#memory.resize(size, io);
        this.events.push({ kind: 'resize', size });
      });
  }

  override async flush(io?: Io): Promise<void> {
    await super.flush(io);
    this.events.push({ kind: 'barrier' });
  }

  /**
   * Returns the content after a crash that follows the first `count` events. It has all changes before the last barrier, and of
   * those after it the ones that `survives` selects: a disk may write in any order.
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
