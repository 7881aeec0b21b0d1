import { portableCodecs } from '../codec/portable-codecs.ts';
import type { Codecs } from '../contracts/codec.ts';
import type { CryptoPrimitives, KeyProvider } from '../contracts/crypto.ts';
import type { DiskFormat } from '../contracts/disk-format.ts';
import { DEFAULT_LIMITS, type Limits, type Logger, silent } from '../contracts/services.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import type { VolumeLayout } from '../contracts/volume-layout.ts';
import type { VolumeManager } from '../contracts/volume-manager.ts';
import { type BackingGate, filesBelowRoots, firstOf, volumes } from './backing-gate.ts';

/** A service, or how to load it when it is first needed. */
export type Lazy<T extends object> = T | (() => Promise<T>);

/** What a program wires, once. */
export interface Services {
  readonly formats: readonly DiskFormat[];
  /** Open sources given as text: by scheme; the first one takes plain paths. */
  readonly drivers: readonly StorageDriver[];
  /** Find partitions and logical volumes. */
  readonly layouts: readonly VolumeLayout[];
  readonly gate: BackingGate;
  readonly codecs: Codecs;
  /** Formats that need it bring portable ones of their own. */
  readonly crypto: Lazy<CryptoPrimitives> | undefined;
  readonly keys: KeyProvider | undefined;
  readonly logger: Logger;
  readonly limits: Limits;
}

/** Services as a program gives them: what it leaves out has a default. */
export interface ServiceOptions {
  readonly formats: readonly DiskFormat[];
  readonly drivers?: readonly StorageDriver[] | undefined;
  /** Partition tables and volume groups that can be looked into. None when absent. */
  readonly layouts?: readonly VolumeLayout[] | undefined;
  /** Consulted by the default gate. */
  readonly volumeManager?: VolumeManager | undefined;
  /** In place of the default gate: volumes, then files below the roots. */
  readonly gate?: BackingGate | undefined;
  /** Beside the portable ones, or in place of those of the same names. */
  readonly codecs?: Codecs | undefined;
  readonly crypto?: Lazy<CryptoPrimitives> | undefined;
  /** Has the keys of encrypted images. */
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
