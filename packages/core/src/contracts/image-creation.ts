import type { Ability } from './abilities.ts';
import type { BackingName, WorkIo } from './changes.ts';
import type { CryptoPrimitives, KeyRequest } from './crypto.ts';
import type { DiskModule, Io } from './disk-module.ts';
import type { OptionSchema, ValuesOf } from './image-options.ts';
import type { LayerInfo } from './layer-info.ts';

/**
 * How to create images of a format. Programs contain no code for individual formats: they read the options from the schema and
 * pass the values.
 */
export interface ImageCreation<S extends OptionSchema = OptionSchema> {
  readonly options: S;
  /** An image is exactly the bytes of its disk, so a program may write it as a stream of unknown length. Default: false. */
  readonly plain?: boolean | undefined;
  /** Abilities of the disk of a new image: `writeCompressed`, `bitmapStore`. Options may disable some of them. */
  readonly abilities?: readonly Ability[] | undefined;
  /** Throws `ERR_ARGUMENT` if values contradict each other. Called before any file is opened. */
  check?(options: ValuesOf<S>, use: ImageUse): void;
  /** Returns the key that an image with these options needs; `undefined` if it needs none. */
  keyOf?(options: ValuesOf<S>): NeededKey | undefined;
  /** Calculates the file size of a future image. Writes nothing. Absent: the size cannot be known in advance. */
  measure?(image: MeasuredImage<S>, io: Io): Promise<ImageMeasure>;
  /**
   * Writes an empty image, which reads as its backing file or as zeroes. Replaces the content of `target`, flushes it and leaves
   * it open. An interrupted call leaves no valid image.
   */
  write(target: DiskModule, image: NewImage<S>): Promise<void>;
  /** Returns the options that create an image like this one. Absent: a new image would lose something. */
  optionsOf?(info: LayerInfo): ValuesOf<S>;
}

/** How a program will write a new image. */
export interface ImageUse {
  /** Clusters are written compressed. */
  readonly compressed: boolean;
}

export interface NeededKey {
  readonly kind: KeyRequest['kind'];
  /** Name of the option, of type `secret`, that holds the key. */
  readonly option: string;
}

/** The image that `ImageCreation.write` creates. */
export interface NewImage<S extends OptionSchema = OptionSchema> extends WorkIo {
  /** Guest bytes. */
  readonly size: number;
  readonly options: ValuesOf<S>;
  readonly backing?: BackingName | undefined;
  /**
   * Creates an additional empty file of the image. `name` is stored in the image: relative to the folder of the image, or
   * absolute. The program owns the file and closes it. `ERR_UNSUPPORTED` if the program cannot create files.
   */
  readonly makeFile: (name: string) => Promise<DiskModule>;
  /** The platform's ciphers and hashes; `undefined` if the program has none. */
  readonly crypto: () => Promise<CryptoPrimitives | undefined>;
}

/** The future image that `ImageCreation.measure` measures. */
export interface MeasuredImage<S extends OptionSchema = OptionSchema> {
  /** Guest bytes. If there is a `source`, its size. */
  readonly size: number;
  readonly options: ValuesOf<S>;
  /** The future content. Absent: an empty image. */
  readonly source?: DiskModule | undefined;
  readonly hasBacking: boolean;
}

/** File sizes, in bytes. */
export interface ImageMeasure {
  /** Size of a file with the content of the source. A format may count the metadata of a full image. */
  readonly required: number;
  /** Size of a file in which every byte of the disk is allocated. */
  readonly fullyAllocated: number;
  /** Size of copies of the source's bitmaps, which the other sizes exclude. Absent if the source or the format has no bitmaps. */
  readonly bitmaps?: number;
}

/** The features of an existing image that the `amend` ability of its disk can change. */
export interface ImageAmendment<S extends OptionSchema = OptionSchema> {
  readonly options: S;
  /** Returns whether the change reads guest bytes: the disk is then opened with its backing chain and its key. Default: false. */
  needsContent?(options: ValuesOf<S>): boolean;
}

/** Types the option values by the schema: `options.cluster_size` is a number. Programs check the values before they pass them. */
export function defineCreation<const S extends OptionSchema>(creation: ImageCreation<S>): ImageCreation {
  return creation as unknown as ImageCreation;
}

/** The same for an amendment. */
export function defineAmendment<const S extends OptionSchema>(amendment: ImageAmendment<S>): ImageAmendment {
  return amendment as unknown as ImageAmendment;
}
