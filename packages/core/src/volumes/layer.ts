import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { Volume, VolumeKind, VolumeLayout, VolumeSet } from '../contracts/volume-layout.ts';
import { DiskError } from '../errors/disk-error.ts';
import type { Recognised } from '../probe/recognise.ts';

/** Options of a layer. */
export interface LayerOptions {
  readonly path: string;
  readonly kind: 'disk' | VolumeKind;
  /** The layer below. `undefined` for an image that the caller named. */
  readonly below?: Layer | undefined;
  /** The volume, if a layout found the layer. */
  readonly volume?: Volume | undefined;
  /** The set of that volume. */
  readonly set?: VolumeSet | undefined;
  /** Name of the image's format as declared or probed. Once the image is open, `info().format` is authoritative. */
  readonly format?: string | undefined;
  readonly open: (io: Io) => Promise<DiskModule>;
}

/**
 * One layer of a machine: an image, a partition, a logical volume. Opened once, when its bytes are first needed, and closed with
 * the machine. All users share the open disk.
 */
export class Layer {
  readonly path: string;
  readonly kind: LayerOptions['kind'];
  readonly below: Layer | undefined;
  readonly volume: Volume | undefined;
  readonly set: VolumeSet | undefined;
  readonly format: string | undefined;
  /** 0 for an image that the caller named. */
  readonly depth: number;
  /** The layers directly above this one, by the step that leads to each, in the order in which they were found. */
  readonly above = new Map<string, Layer>();
  /** The sets whose volumes are above this layer. */
  readonly sets: VolumeSet[] = [];
  /** Layouts over several disks. This disk may be a member of their groups. */
  readonly joins = new Set<VolumeLayout>();
  /** The group that this disk is a member of, and the layer above which its volumes are listed. */
  group: { readonly set: VolumeSet; readonly listedAt: Layer } | undefined;
  /** The content by its magic numbers. */
  content: Recognised | undefined;
  /** Why the layer cannot be opened or searched. */
  problem: DiskError | undefined;
  /** Whether the layouts of one disk have searched this layer. */
  isSearched = false;
  readonly #open: LayerOptions['open'];
  #disk: Promise<DiskModule> | undefined;

  constructor({ path, kind, below, volume, set, format, open }: LayerOptions) {
    this.path = path;
    this.kind = kind;
    this.below = below;
    this.volume = volume;
    this.set = set;
    this.format = format;
    this.depth = below === undefined ? 0 : below.depth + 1;
    this.#open = open;
  }

  /**
   * The open disk. The machine owns it: callers borrow it and do not close it. A failure is not cached, because what was missing
   * may be found later.
   */
  disk(io: Io = {}): Promise<DiskModule> {
    if (this.#disk === undefined) {
      const opening = this.#open(io);
      this.#disk = opening;
      opening.catch(() => {
        if (this.#disk === opening) this.#disk = undefined;
      });
    }
    return this.#disk;
  }

  get isOpen(): boolean {
    return this.#disk !== undefined;
  }

  /** True for a partition that begins at byte 0 of its disk. Its first sector contains the partition table of the disk. */
  get repeatsTable(): boolean {
    return this.kind === 'partition' && this.volume?.start === 0;
  }

  async close(): Promise<void> {
    const disk = await this.#disk?.catch(() => undefined);
    await disk?.close();
  }
}

/** The layer and all layers above it, in the order of the tree. */
export function* withAbove(layer: Layer): Generator<Layer> {
  yield layer;
  for (const above of layer.above.values()) yield* withAbove(above);
}

/** The content of a disk to report. Containers come first, because what they contain often begins at the same byte. */
export function contentOf(found: readonly Recognised[]): Recognised | undefined {
  return (
    found.find(({ kind }) => kind === 'container') ??
    found.find(({ kind }) => kind === 'file-system') ??
    found.find(({ kind }) => kind === 'image' || kind === 'archive')
  );
}

/** Returns an error that concerns one layer. Throws aborts and errors that are not `DiskError`s: they end the whole work. */
export function failureOf(error: unknown): DiskError {
  if (error instanceof DiskError && error.code !== 'ERR_ABORTED') return error;
  throw error;
}
