import { hex, printable } from './text.ts';

/**
 * The kind of an error, for programs. Codes are stable: new ones are added, existing ones keep their meaning.
 *
 * | code | meaning |
 * | --- | --- |
 * | `ERR_ARGUMENT` | an argument is invalid (a negative offset, an unknown mountMode) |
 * | `ERR_STATE` | the disk is not initialised yet, or closed |
 * | `ERR_ABORTED` | the caller's signal aborted the call |
 * | `ERR_READ_ONLY` | a write to a read-only disk |
 * | `ERR_OUT_OF_BOUNDS` | a write past the end of the disk |
 * | `ERR_NO_SPACE` | no room for the data to write: in the file system, on the device or in the image |
 * | `ERR_LOCKED` | another program, or another open disk of this one, locks the image |
 * | `ERR_NOT_FOUND` | no such file, device or volume |
 * | `ERR_IO` | the storage failed; `cause` has its error |
 * | `ERR_SHORT_READ` | the disk below returned fewer bytes than requested |
 * | `ERR_CHANGED` | another program shortened the file of an open disk |
 * | `ERR_UNKNOWN_FORMAT` | no format of that name is registered |
 * | `ERR_NOT_THIS_FORMAT` | the image does not have the magic number of the declared format |
 * | `ERR_AMBIGUOUS_FORMAT` | several formats recognise the image with the same rank |
 * | `ERR_CORRUPT` | the image contradicts its specification, or itself |
 * | `ERR_TRUNCATED` | the image refers to bytes past its own end |
 * | `ERR_UNSUPPORTED` | a feature that is unknown or not implemented |
 * | `ERR_LIMIT` | a limit is exceeded |
 * | `ERR_WRONG_KEY` | the key does not open the image, or no key was given |
 * | `ERR_BACKING_DENIED` | the gate does not allow the image to open a disk that it names |
 * | `ERR_BACKING_LOOP` | a backing chain contains the same disk twice |
 * | `ERR_BACKING_MISMATCH` | the disk that the image names is not the disk that it was made for |
 * | `ERR_BACKING_NOT_OPEN` | the bytes are on the backing disk, which was not opened |
 * | `ERR_INTERNAL` | a defect of diskstack or of a plugin: please report it |
 */
export type DiskErrorCode =
  | 'ERR_ARGUMENT'
  | 'ERR_STATE'
  | 'ERR_ABORTED'
  | 'ERR_READ_ONLY'
  | 'ERR_OUT_OF_BOUNDS'
  | 'ERR_NO_SPACE'
  | 'ERR_LOCKED'
  | 'ERR_NOT_FOUND'
  | 'ERR_IO'
  | 'ERR_SHORT_READ'
  | 'ERR_CHANGED'
  | 'ERR_UNKNOWN_FORMAT'
  | 'ERR_NOT_THIS_FORMAT'
  | 'ERR_AMBIGUOUS_FORMAT'
  | 'ERR_CORRUPT'
  | 'ERR_TRUNCATED'
  | 'ERR_UNSUPPORTED'
  | 'ERR_LIMIT'
  | 'ERR_WRONG_KEY'
  | 'ERR_BACKING_DENIED'
  | 'ERR_BACKING_LOOP'
  | 'ERR_BACKING_MISMATCH'
  | 'ERR_BACKING_NOT_OPEN'
  | 'ERR_INTERNAL';

/** The option that the caller can set to make the same call work. */
export type DiskErrorHint =
  | {
      /** An option of `open`, of the file driver (`locking`), of the services (`keys`) or of a machine (`pvs`). */
      readonly option: 'allowBacking' | 'allowSchemes' | 'keys' | 'locking' | 'pvs';
    }
  | {
      readonly option: 'limits';
      /** Name of the limit: a key of `Limits`. */
      readonly name: string;
    };

/** Where an error occurred, and why. */
export interface DiskErrorDetails {
  /** Name of the format of the layer: `'qcow2'`. */
  readonly format?: string | undefined;
  /** The layer: the location of its image, if it has one. */
  readonly layer?: string | undefined;
  /** Byte offset of the faulty field in the layer's own file. */
  readonly offset?: number | undefined;
  /** The option that the caller can set to make the call work. Absent if there is none. */
  readonly hint?: DiskErrorHint | undefined;
  readonly cause?: unknown;
}

/** Identifies errors of other copies of this package: a plugin may bring its own copy. */
const BRAND = Symbol.for('@diskstack/core DiskError');

/**
 * The only error class of diskstack. `message` is `[format layer] what is wrong (at byte 0x…)`. `instanceof` also holds for
 * errors of other copies of this package in the same program.
 */
export class DiskError extends Error {
  static {
    Object.defineProperty(DiskError.prototype, BRAND, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): value is DiskError {
    return typeof value === 'object' && value !== null && BRAND in value;
  }

  override readonly name = 'DiskError';
  readonly code: DiskErrorCode;
  readonly format: string | undefined;
  readonly layer: string | undefined;
  readonly offset: number | undefined;
  readonly hint: DiskErrorHint | undefined;
  /** The message without format, layer and offset. */
  readonly reason: string;

  constructor(code: DiskErrorCode, reason: string, details: DiskErrorDetails = {}) {
    const { format, layer, offset, hint, cause } = details;
    const where = [format, layer].flatMap((part) => (part === undefined ? [] : [printable(part)])).join(' ');
    const at = offset === undefined ? '' : ` (at byte ${hex(offset)})`;
    super(`${where && `[${where}] `}${reason}${at}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.reason = reason;
    this.format = format;
    this.layer = layer;
    this.offset = offset;
    this.hint = hint;
  }

  /** Returns the error with its format and layer. An error that has either is returned unchanged: the innermost layer counts. */
  in(place: { readonly format?: string | undefined; readonly layer?: string | undefined }): DiskError {
    if (this.layer !== undefined || this.format !== undefined) return this;
    const { code, reason, offset, hint, cause } = this;
    return new DiskError(code, reason, { ...place, offset, hint, cause });
  }
}

/** Throws `ERR_ABORTED` when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new DiskError('ERR_ABORTED', 'aborted by the caller', { cause: signal.reason });
}
