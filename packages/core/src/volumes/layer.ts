import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { Volume, VolumeKind, VolumeLayout, VolumeSet } from '../contracts/volume-layout.ts';
import { DiskError } from '../errors/disk-error.ts';
import type { Recognised } from '../probe/recognise.ts';

/** What makes a layer. */
export interface LayerOptions {
  readonly path: string;
  readonly kind: 'disk' | VolumeKind;
  /** The layer that it stands on; an image that the caller named stands on none. */
  readonly below?: Layer | undefined;
  /** What a layout says of it, where a layout found it. */
  readonly volume?: Volume | undefined;
  /** The set that it is a volume of. */
  readonly set?: VolumeSet | undefined;
  /** Name of the format of an image: the declared one, until it is open and tells itself. */
  readonly format?: string | undefined;
  readonly open: (io: Io) => Promise<DiskModule>;
}

/**
 * One layer of a machine: an image, a partition, a logical volume. Opened when somebody asks for its bytes, once for all
 * of them, and closed with the machine.
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
  /** The layers on top of this one, by the step that leads to each, in the order in which they were found. */
  readonly above = new Map<string, Layer>();
  /** The sets whose volumes stand above. */
  readonly sets: VolumeSet[] = [];
  /** Layouts over several disks that this one may be part of. */
  readonly joins = new Set<VolumeLayout>();
  /** The layer above which the volumes of a group stand that this disk is part of. */
  group: { readonly set: VolumeSet; readonly listedAt: Layer } | undefined;
  /** What it holds, by its magic numbers. */
  content: Recognised | undefined;
  /** Why it cannot be opened, or looked into. */
  problem: DiskError | undefined;
  /** One-disk layouts have been asked. */
  isSearched = false;
  /** An image was looked for. */
  isProbed = false;
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

  /** The open disk, the machine's own: lend it, do not close it. A failure is not kept: what it lacked may be found later. */
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

  /** A volume that begins where its disk does has the disk's own table in its first sector. */
  get repeatsTable(): boolean {
    return this.kind === 'partition' && this.volume?.start === 0;
  }

  async close(): Promise<void> {
    const disk = await this.#disk?.catch(() => undefined);
    await disk?.close();
  }
}

/** The layer and all above it, in the order in which a tree shows them. */
export function* withAbove(layer: Layer): Generator<Layer> {
  yield layer;
  for (const above of layer.above.values()) yield* withAbove(above);
}

/** What a disk holds: what contains other disks first, since what it contains often begins where it does. */
export function contentOf(found: readonly Recognised[]): Recognised | undefined {
  return (
    found.find(({ kind }) => kind === 'container') ??
    found.find(({ kind }) => kind === 'file-system') ??
    found.find(({ kind }) => kind === 'image' || kind === 'archive')
  );
}

/** A failure as a fact about a layer; whatever ends the whole work goes on. */
export function failureOf(error: unknown): DiskError {
  if (error instanceof DiskError && error.code !== 'ERR_ABORTED') return error;
  throw error;
}
