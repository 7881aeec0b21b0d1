import type { DiskModule, ImageMeasure, Io } from '@diskstack/core';
import type { CreateQcow1Options, CreateQcowOptions, MeasureQcowOptions } from './options.ts';

/**
 * Makes an empty QCOW2 image on a disk, and replaces its content. The disk is resized if it can be; otherwise it must
 * be long enough. The disk stays open, is flushed, and remains the caller's.
 *
 * The header is written last, after a barrier: when this is interrupted, the disk holds no image.
 */
export async function createQcow(disk: DiskModule, options: CreateQcowOptions): Promise<void> {
  // Loaded on demand, like the rest of the format.
  await (await import('./create-qcow.ts')).writeNewImage(disk, options);
}

/** Makes an empty image of version 1 on a disk. Otherwise like `createQcow`. */
export async function createQcow1(disk: DiskModule, options: CreateQcow1Options): Promise<void> {
  await (await import('./create-v1.ts')).writeNewV1(disk, options);
}

/** The size of the file of a future image, as `qemu-img measure` reports it. Writes nothing, and reads only extents. */
export async function measureQcow(options: MeasureQcowOptions, io: Io = {}): Promise<ImageMeasure> {
  return (await import('./measure.ts')).measureNewImage(options, io);
}
