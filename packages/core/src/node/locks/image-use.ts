// QEMU's protocol of locks on bytes of an image (qemu `block/file-posix.c`). Its programs and diskstack follow it.

/** A lock on this byte plus a permission means that its owner uses the permission. */
export const USED = 100;
/** A lock on this byte plus a permission means that other programs must not use the permission. */
export const NOT_SHARED = 200;

/** Permissions: qemu `include/block/block-common.h`, `BLK_PERM_…`. */
const CONSISTENT_READ = 0;
const WRITE = 1;
export const RESIZE = 3;

/** What a program does with an image, and what it forbids others. */
export interface ImageUse {
  readonly uses: readonly number[];
  readonly refuses: readonly number[];
}

/** Reads an image of any format. A change during that would mix bytes from before and after it. */
export const READER: ImageUse = { uses: [CONSISTENT_READ], refuses: [WRITE, RESIZE] };
export const WRITER: ImageUse = { uses: [CONSISTENT_READ, WRITE, RESIZE], refuses: [WRITE, RESIZE] };

/** The bytes that the owner of this use locks. */
export function bytesOf({ uses, refuses }: ImageUse): readonly number[] {
  return [
    ...uses.map((permission) => USED + permission),
    ...refuses.map((permission) => NOT_SHARED + permission),
  ];
}

/** The bytes on which another program must not have a lock. */
export function bytesAgainst({ uses, refuses }: ImageUse): readonly number[] {
  return [
    ...refuses.map((permission) => USED + permission),
    ...uses.map((permission) => NOT_SHARED + permission),
  ];
}

/** Whether an owner of this byte changes the image. */
export function isWriting(byte: number): boolean {
  return byte === USED + WRITE || byte === USED + RESIZE;
}
