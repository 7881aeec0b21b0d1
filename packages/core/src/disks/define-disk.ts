import type { Abilities, Able, ExtentsIo } from '../contracts/abilities.ts';
import type { ResizeIo, ZeroesIo } from '../contracts/changes.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { DiskExtent } from '../contracts/extent.ts';
import { checkWrite, clipRange } from '../io/range.ts';
import { DiskBase } from './disk-base.ts';

/**
 * The parts of a disk that differ from other disks. `defineDisk` adds the rest: `read`, clipping at the end, range checks, one
 * `init` and one `close` however often they are called, abort signals, pauses for the event loop, disposal.
 */
export interface DiskDefinition {
  /** Name of the layer in `diskType`. Default: `''`, a storage. */
  readonly type?: string | undefined;
  /** Bytes of a sector. Default: 512. */
  readonly blockSize?: number | undefined;
  readonly location?: string | undefined;
  /** The disk that holds the bytes, if there is one. `init` and `close` of the definition have to open and close it. */
  readonly downstream?: DiskModule | undefined;
  /** Opens the layer below. Runs once. */
  init?(io: Io): Promise<void>;
  /** Size in bytes. Called only after `init` has resolved. */
  size(): number;
  /**
   * Fills `into` with the bytes at `offset`. Returns `undefined` if it has filled `into` synchronously, otherwise a promise. The
   * range is inside the disk.
   */
  readInto(offset: number, into: Uint8Array, io: Io): Promise<void> | undefined;
  /** Writes all of `data`. The range is inside the disk. Default: the disk is read-only. */
  write?(offset: number, data: Uint8Array, io: Io): Promise<void> | undefined;
  flush?(io: Io): Promise<void>;
  /** The extents of a range, which is already clipped to the disk and not empty. */
  extents?(offset: number, length: number, io: ExtentsIo): AsyncIterable<DiskExtent>;
  discard?(offset: number, length: number, io: Io): Promise<void>;
  writeZeroes?(offset: number, length: number, io: ZeroesIo): Promise<void>;
  resize?(size: number, io: ResizeIo): Promise<void>;
  /** Runs once, when no call is in flight. */
  close?(): Promise<void>;
}

/**
 * Makes a disk from a definition. It has only the abilities that the definition has: without `flush`, `can(disk,
 * 'flush')` is false.
 */
export function defineDisk(definition: DiskDefinition): Able<'readInto'> {
  return new DefinedDisk(definition);
}

type DefinedAbilities = Partial<
  Pick<Abilities, 'flush' | 'extents' | 'discard' | 'writeZeroes' | 'resize' | 'location' | 'downstream'>
>;

class DefinedDisk extends DiskBase implements DefinedAbilities {
  readonly diskType: string;
  readonly blockSize: number;
  readonly writable: boolean;
  readonly location?: string;
  readonly downstream?: DiskModule;
  readonly flush?: Abilities['flush'];
  readonly extents?: Abilities['extents'];
  readonly discard?: Abilities['discard'];
  readonly writeZeroes?: Abilities['writeZeroes'];
  readonly resize?: Abilities['resize'];
  protected readonly readOnlyReason = 'the disk is read-only';
  readonly #definition: DiskDefinition;

  constructor(definition: DiskDefinition) {
    super();
    const { type = '', blockSize = 512, location, downstream } = definition;
    this.#definition = definition;
    this.diskType = type;
    this.blockSize = blockSize;
    this.writable = definition.write !== undefined;
    if (location !== undefined) this.location = location;
    if (downstream !== undefined) this.downstream = downstream;
    const { life } = this;
    const changes = (offset: number, length: number, work: () => Promise<void>): Promise<void> =>
      life.whileOpen(async () => {
        if (!this.writable) throw this.readOnly();
        checkWrite(definition.size(), offset, length);
        await work();
      });
    if (definition.flush !== undefined)
      this.flush = (io = {}) => life.whileOpen(async () => definition.flush?.(io));
    if (definition.extents !== undefined) {
      this.extents = async function* (offset = 0, length, io = {}): AsyncIterable<DiskExtent> {
        const clipped = clipRange(this.size(), offset, length);
        if (clipped > 0) yield* definition.extents?.(offset, clipped, io) ?? [];
      };
    }
    if (definition.discard !== undefined)
      this.discard = (offset, length, io = {}) =>
        changes(offset, length, async () => definition.discard?.(offset, length, io));
    if (definition.writeZeroes !== undefined)
      this.writeZeroes = (offset, length, io = {}) =>
        changes(offset, length, async () => definition.writeZeroes?.(offset, length, io));
    if (definition.resize !== undefined)
      this.resize = (size, io = {}) => changes(0, 0, async () => definition.resize?.(size, io));
  }

  protected async open(io: Io): Promise<void> {
    await this.#definition.init?.(io);
  }

  protected length(): number {
    return this.#definition.size();
  }

  protected fill(offset: number, into: Uint8Array, io: Io): Promise<void> | undefined {
    return this.#definition.readInto(offset, into, io);
  }

  protected put(offset: number, data: Uint8Array, io: Io): Promise<void> | undefined {
    return this.#definition.write?.(offset, data, io);
  }

  protected async release(): Promise<void> {
    await this.#definition.close?.();
  }
}
