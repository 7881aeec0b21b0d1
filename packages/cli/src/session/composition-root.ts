import 'reflect-metadata/lite'; // tsyringe throws if it is loaded first
import {
  type BackingGate,
  type DiskModule,
  type Disks,
  filesBelowRoots,
  firstOf,
  type KeyProvider,
  type Limits,
  type Logger,
  volumes as volumesOf,
} from '@diskstack/core';
import { DISKS, registerDisks } from '@diskstack/core/di';
import type { DiskFormat, StorageDriver } from '@diskstack/core/format';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import type { VolumeLayout } from '@diskstack/core/volumes';
import { volumeMap } from '@diskstack/lvm-stub';
import { qcow, qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';
import { container } from 'tsyringe';
import type { Plugins } from '../plugins/plugins.ts';
import { host } from './host.ts';

/** The services that a command chooses. */
export interface Wiring {
  /** Logical volumes: the image of each, by its path. */
  readonly volumes?: Readonly<Record<string, string>>;
  readonly logger?: Logger | undefined;
  /** Provides the keys of encrypted images. */
  readonly keys?: KeyProvider | undefined;
  readonly limits?: Partial<Limits> | undefined;
  /** Reads images that another process is writing. */
  readonly forceShare?: boolean | undefined;
  readonly plugins?: Plugins | undefined;
  /** Finds partitions and volumes. Default: none */
  readonly layouts?: readonly VolumeLayout[] | undefined;
}

/** The formats that are built in. */
export const formats: readonly DiskFormat[] = [raw, qcow, qcow2];

/** The services of one run of the program. */
export interface Program {
  readonly disks: Disks;
  /** The driver that opens files of this computer for `disks`. */
  readonly files: StorageDriver;
  /** The default gate: decides about names inside images. */
  readonly gate: BackingGate;
  /** Closes the disks that the services have opened themselves. */
  close(): Promise<void>;
}

/** Wires the program: its formats, storages, codecs, ciphers and volumes. This is the only place. */
export function compose(wiring: Wiring = {}): Program {
  const { volumes = {}, logger, keys, limits, forceShare, layouts, plugins } = wiring;
  const locking = forceShare ? 'writing' : 'auto';
  const files = fileDriver({ locking, host });
  const declared = Object.entries(volumes).map(
    ([path, image]) => [path, (): DiskModule => files.open(image, { writable: false })] as const,
  );
  const volumeManager = volumeMap(Object.fromEntries(declared));
  const services = container.createChildContainer();
  registerDisks(services, {
    formats: [...formats, ...(plugins?.formats ?? [])],
    drivers: [files, ...(plugins?.drivers ?? [])],
    codecs: zlibCodecs,
    crypto: async () => (await import('@diskstack/crypto/node')).nodePrimitives,
    keys,
    limits,
    layouts,
    volumeManager,
    logger,
  });
  return {
    disks: services.resolve(DISKS),
    files,
    gate: firstOf(volumesOf(volumeManager), filesBelowRoots),
    close: () => volumeManager.close(),
  };
}
