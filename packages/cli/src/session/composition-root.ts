import 'reflect-metadata/lite'; // tsyringe throws when it is loaded before
import {
  type BackingGate,
  type DiskFormat,
  type DiskModule,
  type Disks,
  filesBelowRoots,
  firstOf,
  type KeyProvider,
  type Limits,
  type Logger,
  type StorageDriver,
  type VolumeLayout,
  volumes as volumesOf,
} from '@diskstack/core';
import { DISKS, registerDisks } from '@diskstack/core/di';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { volumeMap } from '@diskstack/lvm-stub';
import { qcow, qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';
import { container } from 'tsyringe';
import type { Plugins } from '../plugins/plugins.ts';

/** What a command needs to be wired. */
export interface Wiring {
  /** Logical volumes: the path of each, and the image that holds it. */
  readonly volumes?: Readonly<Record<string, string>>;
  readonly logger?: Logger | undefined;
  /** Has the keys of encrypted images. */
  readonly keys?: KeyProvider | undefined;
  readonly limits?: Partial<Limits> | undefined;
  /** What is read is not refused because somebody writes it. */
  readonly forceShare?: boolean | undefined;
  readonly plugins?: Plugins | undefined;
  /** For what looks into disks. */
  readonly layouts?: readonly VolumeLayout[] | undefined;
}

/** The formats that are built in. */
export const formats: readonly DiskFormat[] = [raw, qcow, qcow2];

/** The services of one run of the program. */
export interface Program {
  readonly disks: Disks;
  /** Opens files of this computer as the disks do. */
  readonly files: StorageDriver;
  /** What decides about names inside images where the caller says nothing else. */
  readonly gate: BackingGate;
  /** Closes what the services have opened themselves. */
  close(): Promise<void>;
}

/** The one place where the program is wired: formats, storages, codecs, ciphers and volumes come together here. */
export function compose(wiring: Wiring = {}): Program {
  const { volumes = {}, logger, keys, limits, forceShare, layouts, plugins } = wiring;
  const locking = forceShare ? 'writing' : 'auto';
  const files = fileDriver({ locking });
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
