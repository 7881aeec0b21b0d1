import { hex, printable } from './text.ts';

/**
 * What went wrong, for programs. Codes are stable: one is added rather than changed.
 *
 * | code | meaning |
 * | --- | --- |
 * | `ERR_ARGUMENT` | the caller asked for something that makes no sense (a negative offset, an unknown mountMode) |
 * | `ERR_STATE` | the disk is not initialised yet, or closed |
 * | `ERR_ABORTED` | the caller's signal ended the work |
 * | `ERR_READ_ONLY` | a write to a disk that takes none |
 * | `ERR_OUT_OF_BOUNDS` | a write past the end of the disk |
 * | `ERR_NO_SPACE` | no room for what is to be written: in the file system, on the device, in the image |
 * | `ERR_LOCKED` | somebody else has the image open for writing |
 * | `ERR_NOT_FOUND` | no such file, device or volume |
 * | `ERR_IO` | the storage failed; `cause` says how |
 * | `ERR_SHORT_READ` | a lower layer gave fewer bytes than it has to |
 * | `ERR_CHANGED` | another program changed the file under an open disk, and it ends earlier now |
 * | `ERR_UNKNOWN_FORMAT` | no registered format of that name |
 * | `ERR_NOT_THIS_FORMAT` | the declared format's magic number is not there |
 * | `ERR_AMBIGUOUS_FORMAT` | two formats claim the image with equal right |
 * | `ERR_CORRUPT` | the image contradicts its specification, or itself |
 * | `ERR_TRUNCATED` | the image names bytes past its own end |
 * | `ERR_UNSUPPORTED` | a feature that is known and not implemented, or not known |
 * | `ERR_LIMIT` | more than a named limit allows |
 * | `ERR_WRONG_KEY` | the key that was given does not open the image, or none was given |
 * | `ERR_BACKING_DENIED` | the gate does not let the image open what it names |
 * | `ERR_BACKING_LOOP` | a backing chain comes back to itself |
 * | `ERR_BACKING_MISMATCH` | the disk that the image names is another one than it was made for |
 * | `ERR_BACKING_NOT_OPEN` | the disk was opened without its backing disk, and the bytes are there |
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

/** The option that the caller can set so that the same call works. */
export type DiskErrorHint =
  | {
      /** Of `open`, of the file driver (`locking`), of the services (`keys`), of a machine (`pvs`). */
      readonly option: 'allowBacking' | 'allowSchemes' | 'keys' | 'locking' | 'pvs';
    }
  | {
      readonly option: 'limits';
      /** The limit: a key of `Limits`. */
      readonly name: string;
    };

/** Where and why, beside the message. */
export interface DiskErrorDetails {
  /** Name of the format whose rules were broken. */
  readonly format?: string | undefined;
  /** The layer: the path of the image, where it has one. */
  readonly layer?: string | undefined;
  /** Byte offset, in the layer's own file, of the field at fault. */
  readonly offset?: number | undefined;
  /** What the caller can set so that the call works. Absent where nothing can be set. */
  readonly hint?: DiskErrorHint | undefined;
  readonly cause?: unknown;
}

/** What tells an error of another copy of this package: a plugin may bring its own. */
const BRAND = Symbol.for('@diskstack/core DiskError');

/**
 * The one error class of diskstack. `message` reads `[format layer] what is wrong (at byte 0x…)`. `instanceof` is true for the
 * errors of every copy of this package that a program has loaded.
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
  /** The bare sentence, without format, layer and offset. */
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

  /** The same error with the layer that it came from: the first one that it passes through. */
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
