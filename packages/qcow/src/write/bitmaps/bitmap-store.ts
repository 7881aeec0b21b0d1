import type { BitmapStore } from '@diskstack/core';
import {
  addBitmap,
  type BitmapContext,
  clearBitmap,
  mergeBitmap,
  removeBitmap,
  setBitmapAuto,
} from './bitmap-changes.ts';

/** The bitmaps of an image, for the caller of the library. `run` runs one change. */
export function bitmapStoreOf(
  context: BitmapContext,
  run: (change: () => Promise<void>) => Promise<void>,
): BitmapStore {
  return {
    add: (bitmap, io = {}) => run(() => addBitmap(context, bitmap, io)),
    remove: (name) => run(() => removeBitmap(context, name)),
    clear: (name) => run(() => clearBitmap(context, name)),
    setAuto: (name, auto) => run(() => setBitmapAuto(context, name, auto)),
    merge: (name, from, io = {}) => run(() => mergeBitmap(context, name, from, io)),
  };
}
