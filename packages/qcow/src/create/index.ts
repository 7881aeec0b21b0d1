import type { DiskModule, Io } from '@diskstack/core';
import type { CreateQcow1Options, CreateQcowOptions, MeasureQcowOptions, QcowMeasure } from './options.ts';

/**
 * Makes an empty QCOW2 image on a disk, in place of whatever is on it. The disk is made as long as the image if it can
 * be resized, and has to be long enough otherwise; it stays the caller's, open and flushed.
 *
 * The header is written last, behind a barrier: a disk on which this was interrupted holds no image.
 */
export async function createQcow(disk: DiskModule, options: CreateQcowOptions): Promise<void> {
  // Loaded when it is needed, as the rest of the format is.
  await (await import('./create-qcow.ts')).writeNewImage(disk, options);
}

/** Makes an empty image of version 1 on a disk, as `createQcow` makes those of later versions. */
export async function createQcow1(disk: DiskModule, options: CreateQcow1Options): Promise<void> {
  await (await import('./create-v1.ts')).writeNewV1(disk, options);
}

/** How long the file of an image would become, as `qemu-img measure` tells it. Makes nothing, and reads extents alone. */
export async function measureQcow(options: MeasureQcowOptions, io: Io = {}): Promise<QcowMeasure> {
  return (await import('./measure.ts')).measureNewImage(options, io);
}
