import { DiskError } from '@diskstack/core';
import { has } from '../../image/image.ts';
import type { ImageState } from './image-state.ts';

/** Why an image cannot be written, for example because it is marked corrupt; `undefined` when it can. */
export function refusalOf({ image, problem }: ImageState, isAmended: boolean): DiskError | undefined {
  if (isAmended)
    return new DiskError('ERR_READ_ONLY', 'the image was amended; close it and open it again to write');
  if (problem !== undefined) return problem;
  if (!has(image, 'corrupt')) return undefined;
  return new DiskError(
    'ERR_READ_ONLY',
    'the image is marked corrupt, and is not written before it is repaired',
  );
}
