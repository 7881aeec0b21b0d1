import { portableCodecs } from '../codec/portable-codecs.ts';
import type { Codecs } from '../contracts/codec.ts';
import type { CryptoPrimitives, KeyProvider } from '../contracts/crypto.ts';
import type { DiskFormat } from '../contracts/disk-format.ts';
import { DEFAULT_LIMITS, type Limits, type Logger, silent } from '../contracts/services.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import type { VolumeLayout } from '../contracts/volume-layout.ts';
import type { VolumeManager } from '../contracts/volume-manager.ts';
import { type BackingGate, filesBelowRoots, firstOf, volumes } from './backing-gate.ts';

/** A service, or a function that loads it when it is first needed. */
export type Lazy<T extends object> = T | (() => Promise<T>);

/** The services of a program. It sets them up once. */
export interface Services {
  readonly formats: readonly DiskFormat[];
  /** Open locations. A driver is chosen by the scheme; plain paths go to the first one. */
  readonly drivers: readonly StorageDriver[];
  /** Find partitions and logical volumes. */
  readonly layouts: readonly VolumeLayout[];
  readonly gate: BackingGate;
  readonly codecs: Codecs;
  /** Formats that need cryptography have portable primitives of their own as a default. */
  readonly crypto: Lazy<CryptoPrimitives> | undefined;
  readonly keys: KeyProvider | undefined;
  readonly logger: Logger;
  readonly limits: Limits;
}

/** The services that a program passes. The others have defaults. */
export interface ServiceOptions {
  readonly formats: readonly DiskFormat[];
  readonly drivers?: readonly StorageDriver[] | undefined;
  /** Partition tables and volume groups that can be read. Default: none. */
  readonly layouts?: readonly VolumeLayout[] | undefined;
  /** Asked by the default gate. Default: none. */
  readonly volumeManager?: VolumeManager | undefined;
  /** Replaces the default gate, which allows volumes, then files below the roots. */
  readonly gate?: BackingGate | undefined;
  /** Added to the portable codecs. A codec with the name of a portable one replaces it. */
  readonly codecs?: Codecs | undefined;
  readonly crypto?: Lazy<CryptoPrimitives> | undefined;
  /** Returns the keys of encrypted images. */
  readonly keys?: KeyProvider | undefined;
  readonly logger?: Logger | undefined;
  readonly limits?: Partial<Limits> | undefined;
}

export function completeServices(options: ServiceOptions): Services {
  const { formats, drivers = [], layouts = [], volumeManager, logger = silent } = options;
  const { codecs, crypto, keys, limits } = options;
  return {
    formats,
    drivers,
    layouts,
    gate: options.gate ?? defaultGate(volumeManager),
    codecs: { ...portableCodecs, ...codecs },
    crypto,
    keys,
    logger,
    limits: { ...DEFAULT_LIMITS, ...limits },
  };
}

function defaultGate(manager: VolumeManager | undefined): BackingGate {
  return manager === undefined ? filesBelowRoots : firstOf(volumes(manager), filesBelowRoots);
}
