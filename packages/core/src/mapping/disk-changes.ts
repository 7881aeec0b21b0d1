import { checkBytes } from '../binary/safe-number.ts';
import type { Abilities } from '../contracts/abilities.ts';
import type { BitmapStore, SnapshotStore } from '../contracts/changes.ts';
import type { Cloner } from '../contracts/cloner.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { limitError } from '../contracts/limit-error.ts';
import { DiskError, throwIfAborted } from '../errors/disk-error.ts';
import { checkWrite } from '../io/range.ts';
import type { ExtentWriter } from './extent-writer.ts';
import type { LayerLife } from './layer-life.ts';
import type { Mapping } from './mapping.ts';
import { mappingCloner } from './mapping-cloner.ts';
import type { MappingWriter } from './mapping-writer.ts';

/** The layer that `DiskChanges` changes. */
export interface ChangedLayer {
  readonly life: LayerLife;
  readonly mapping: Mapping;
  /** Present if the disk was opened for writing. */
  readonly writer: ExtentWriter | undefined;
  /** The disks that are written, by their number in `PlacedPart`. */
  readonly disks: readonly (DiskModule | undefined)[];
  readonly maxVirtualSize: number;
}

/** The abilities that change a disk. Each is present while the disk can be written and if its format supports it. */
export class DiskChanges {
  readonly #layer: ChangedLayer;

  constructor(layer: ChangedLayer) {
    this.#layer = layer;
  }

  /** Whether the disk can be written: it is neither read-only nor too damaged. */
  get areAllowed(): boolean {
    const { writer, mapping } = this.#layer;
    return writer !== undefined && mapping.writer?.refusal === undefined;
  }

  write(offset: number, data: Uint8Array, io: Io): Promise<void> {
    return this.#change(offset, data.length, io, (writer) => writer.put(offset, data, io));
  }

  get writeZeroes(): Abilities['writeZeroes'] | undefined {
    if (!this.areAllowed) return undefined;
    return (offset, length, io = {}) =>
      this.#change(offset, length, io, (writer) => writer.zero(offset, length, io));
  }

  get discard(): Abilities['discard'] | undefined {
    if (this.#part('discard') === undefined) return undefined;
    return (offset, length, io = {}) =>
      this.#change(offset, length, io, (writer) => writer.discard(offset, length, io));
  }

  get cloneFrom(): Abilities['cloneFrom'] | undefined {
    if (!this.areAllowed) return undefined;
    return async (source) => {
      const { mapping, writer, disks } = this.#layer;
      const format = mapping.writer;
      if (writer === undefined || format === undefined) return undefined;
      const cloner = await mappingCloner({ mapping, format, writer, disks }, source);
      if (cloner === undefined) return undefined;
      const clone: Cloner['clone'] = async (from, to, length, io = {}) => {
        let isCloned = true;
        await this.#change(to, length, io, async () => {
          isCloned = await cloner.clone(from, to, length, io);
        });
        return isCloned;
      };
      return { ...cloner, clone };
    };
  }

  get writeCompressed(): Abilities['writeCompressed'] | undefined {
    if (this.#part('compress') === undefined) return undefined;
    return (offset, cluster, io = {}) =>
      this.#change(offset, cluster.length, io, (writer) => writer.compress(offset, cluster, io));
  }

  get resize(): Abilities['resize'] | undefined {
    const format = this.#part('resize');
    if (format === undefined) return undefined;
    return async (size, io = {}) => {
      const { life, mapping, maxVirtualSize } = this.#layer;
      checkBytes(size, 'size');
      life.check();
      if (size < mapping.size && io.shrink !== true) {
        const reason = `a size of ${size} bytes is less than ${mapping.size}: data past it would be lost; set \`shrink\` to allow that`;
        throw life.withContext(new DiskError('ERR_ARGUMENT', reason));
      }
      const refusal = tooLarge(size, maxVirtualSize);
      if (refusal !== undefined) throw life.withContext(refusal);
      await this.#alone(io, () => format.resize?.(size, io));
    };
  }

  get snapshots(): SnapshotStore | undefined {
    const store = this.#part('snapshots')?.snapshots;
    if (store === undefined) return undefined;
    return {
      list: () => store.list(),
      create: (name, io = {}) => this.#alone(io, () => store.create(name, io)),
      apply: (idOrName, io = {}) => this.#alone(io, () => store.apply(idOrName, io)),
      delete: (idOrName, io = {}) => this.#alone(io, () => store.delete(idOrName, io)),
    };
  }

  get changeBacking(): Abilities['changeBacking'] | undefined {
    const format = this.#part('changeBacking');
    return format && ((backing, io = {}) => this.#alone(io, () => format.changeBacking?.(backing, io)));
  }

  get amend(): Abilities['amend'] | undefined {
    const format = this.#part('amend');
    return format && ((options) => this.#alone(options, () => format.amend?.(options)));
  }

  get bitmapStore(): BitmapStore | undefined {
    const store = this.#part('bitmapStore')?.bitmapStore;
    if (store === undefined) return undefined;
    return {
      add: (bitmap, io = {}) => this.#alone(io, () => store.add(bitmap, io)),
      remove: (name, io = {}) => this.#alone(io, () => store.remove(name, io)),
      clear: (name, io = {}) => this.#alone(io, () => store.clear(name, io)),
      setAuto: (name, auto, io = {}) => this.#alone(io, () => store.setAuto(name, auto, io)),
      merge: (name, from, io = {}) => this.#alone(io, () => store.merge(name, from, io)),
    };
  }

  /** Also present on a disk that is too damaged to be written. */
  get repair(): Abilities['repair'] | undefined {
    const { writer, mapping } = this.#layer;
    const repair = mapping.writer?.repair?.bind(mapping.writer);
    if (repair === undefined || writer === undefined) return undefined;
    return (options) => this.#alone(options, () => repair(options));
  }

  /** The format's writer, if the disk can be written and the writer has this member. */
  #part(ability: keyof MappingWriter): MappingWriter | undefined {
    const writer = this.areAllowed ? this.#layer.mapping.writer : undefined;
    return writer?.[ability] === undefined ? undefined : writer;
  }

  /** Checks a range, then runs `work`, which changes it. */
  async #change(
    offset: number,
    length: number,
    io: Io,
    work: (writer: ExtentWriter) => Promise<void>,
  ): Promise<void> {
    const { life, mapping, writer } = this.#layer;
    life.check();
    throwIfAborted(io.signal);
    const refusal = mapping.writer?.refusal;
    if (writer === undefined || refusal !== undefined) {
      const reason = refusal?.reason ?? "the disk is read-only; open it with mountMode 'rw' to write";
      throw life.withContext(new DiskError('ERR_READ_ONLY', reason));
    }
    checkWrite(mapping.size, offset, length);
    if (length > 0) await life.whileOpen(() => work(writer));
  }

  /** Runs `work` on the whole disk, while no other call changes the disk. */
  async #alone<T>(io: Io, work: () => Promise<T> | undefined): Promise<T> {
    const { life, writer } = this.#layer;
    life.check();
    throwIfAborted(io.signal);
    const present = writer as ExtentWriter; // the getters above offer such work only with a writer
    return await life.whileOpen(() => present.alone(io, async () => (await work()) as T));
  }
}

/** Returns an error if a disk may not have this size. */
export function tooLarge(size: number, maxVirtualSize: number): DiskError | undefined {
  if (size <= maxVirtualSize) return undefined;
  return limitError('maxVirtualSize', { maxVirtualSize }, `a disk of ${size} bytes`);
}
