import { type DiskFormat, type Load, MappedDisk, magicAt } from '@diskstack/core/format';
import { qcowCreation } from './create/qcow-creation.ts';
import { qcow2Creation } from './create/qcow2-creation.ts';
import { MAGIC } from './layout/magic.ts';
import { amendment } from './options/amend-options.ts';

// The rest of the format is loaded with the first image of it. A program that registers many formats pays only for those that it
// opens.
let code: Promise<Load> | undefined;
const load: Load = async (...args) => {
  code ??= import('./open/load.ts').then((module) => module.load);
  return (await code)(...args);
};
const loadV1: Load = async (...args) => (await import('./open/load-v1.ts')).loadV1(...args);

const probeMagic = magicAt(0, ...MAGIC);
const probeV1 = magicAt(0, ...MAGIC, 0, 0, 0, 1);

/** QCOW, version 1. */
export const qcow: DiskFormat = {
  name: 'qcow',
  title: 'QEMU copy-on-write image, version 1',
  probe: probeV1,
  open: (downstream, context) =>
    new MappedDisk({
      type: 'QCOW',
      format: 'qcow',
      downstream,
      ...context,
      load: (io) => loadV1(downstream, context, io),
    }),
  create: qcowCreation,
};

/** QCOW2, versions 2 and 3. It claims unknown versions too, so that they are refused instead of read as raw. */
export const qcow2: DiskFormat = {
  name: 'qcow2',
  title: 'QEMU copy-on-write image, version 2 and 3',
  accepts: ['snapshot'],
  probe: (window) => (probeV1(window) === undefined ? probeMagic(window) : undefined),
  open: (downstream, context) =>
    new MappedDisk({
      type: 'QCOW',
      format: 'qcow2',
      downstream,
      ...context,
      load: (io) => load(downstream, context, io),
    }),
  create: qcow2Creation,
  amend: amendment,
};
