import type { Ability } from './abilities.ts';
import type { BackingName, WorkIo } from './changes.ts';
import type { CryptoPrimitives, KeyRequest } from './crypto.ts';
import type { DiskModule, Io } from './disk-module.ts';
import type { OptionSchema, ValuesOf } from './image-options.ts';
import type { LayerInfo } from './layer-info.ts';

/**
 * How images of a format are made. A program that makes them knows no format by its name: it reads the options from the schema,
 * and hands their values over.
 */
export interface ImageCreation<S extends OptionSchema = OptionSchema> {
  readonly options: S;
  /**
   * An image is the bytes of its disk, and nothing else: a program may write it as a stream, of a length that is not known at the
   * start. Default: false.
   */
  readonly plain?: boolean | undefined;
  /** What the disk of a new image can do: `writeCompressed`, `bitmapStore`. An option may take some of it away. */
  readonly abilities?: readonly Ability[] | undefined;
  /** Refuses values that contradict each other (`ERR_ARGUMENT`). Called before any file is opened. */
  check?(options: ValuesOf<S>, use: ImageUse): void;
  /** The key that an image with these options needs, and the option of type `secret` that it is the value of. */
  keyOf?(options: ValuesOf<S>): NeededKey | undefined;
  /** The size of the file of a future image. Writes nothing. Absent: it cannot be said before. */
  measure?(image: MeasuredImage<S>, io: Io): Promise<ImageMeasure>;
  /**
   * Writes an empty image: its disk reads as its backing file, or as zeroes. It replaces the content of `target`, which stays
   * open and is flushed. An interruption leaves no image.
   */
  write(target: DiskModule, image: NewImage<S>): Promise<void>;
  /** The options of an image that is like this one. Absent: a new image would lose something. */
  optionsOf?(info: LayerInfo): ValuesOf<S>;
}

/** What a program does with a new image next. */
export interface ImageUse {
  /** Its clusters are written compressed. */
  readonly compressed: boolean;
}

export interface NeededKey {
  readonly kind: KeyRequest['kind'];
  /** Name of the option that holds the key. */
  readonly option: string;
}

/** A new image, as a format is asked to write it. */
export interface NewImage<S extends OptionSchema = OptionSchema> extends WorkIo {
  /** Guest bytes. */
  readonly size: number;
  readonly options: ValuesOf<S>;
  readonly backing?: BackingName | undefined;
  /**
   * Makes a further file of the image, empty, by the name that the image stores: relative to the folder of the image, or absolute.
   * It remains the program's, which closes it. `ERR_UNSUPPORTED` when the program can make none.
   */
  readonly makeFile: (name: string) => Promise<DiskModule>;
  /** The platform's ciphers and hashes; `undefined` when the program wires none. */
  readonly crypto: () => Promise<CryptoPrimitives | undefined>;
}

/** A future image that is measured. */
export interface MeasuredImage<S extends OptionSchema = OptionSchema> {
  /** Guest bytes: those of `source`, where there is one. */
  readonly size: number;
  readonly options: ValuesOf<S>;
  /** The future content. Absent: an empty image. */
  readonly source?: DiskModule | undefined;
  readonly hasBacking: boolean;
}

/** File sizes, in bytes. */
export interface ImageMeasure {
  /** The file that holds the content of the source. A format may count its metadata as in a full image. */
  readonly required: number;
  /** The file that holds every byte of the disk. */
  readonly fullyAllocated: number;
  /** For copies of the source's bitmaps, which the other sizes do not include. Absent when either has none. */
  readonly bitmaps?: number;
}

/** Which features of an existing image can be changed, by the `amend` of its disk. */
export interface ImageAmendment<S extends OptionSchema = OptionSchema> {
  readonly options: S;
  /** Whether the change needs guest bytes. Then the disk is opened with its backing chain and its key. Default: no. */
  needsContent?(options: ValuesOf<S>): boolean;
}

/** Types the values by the schema: `options.cluster_size` is a number. A program checks them before it hands them over. */
export function defineCreation<const S extends OptionSchema>(creation: ImageCreation<S>): ImageCreation {
  return creation as unknown as ImageCreation;
}

/** The same for an amendment. */
export function defineAmendment<const S extends OptionSchema>(amendment: ImageAmendment<S>): ImageAmendment {
  return amendment as unknown as ImageAmendment;
}
