import { portableCodecs } from '../codec/portable-codecs.ts';
import type { CryptoPrimitives, KeyProvider } from '../contracts/crypto.ts';
import type { DiskFormat } from '../contracts/disk-format.ts';
import { type Codecs, DEFAULT_LIMITS, type Limits, type Logger, silent } from '../contracts/services.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import type { VolumeManager } from '../contracts/volume-manager.ts';
import { type BackingGate, filesBelowRoots, firstOf, volumes } from './backing-gate.ts';

/** What a program wires, once. */
export interface Services {
  readonly formats: readonly DiskFormat[];
  /** Open sources given as text: by scheme; the first one takes plain paths. */
  readonly drivers: readonly StorageDriver[];
  readonly gate: BackingGate;
  readonly codecs: Codecs;
  /** Formats that need it bring portable ones of their own. */
  readonly crypto: CryptoPrimitives | undefined;
  readonly keys: KeyProvider | undefined;
  readonly logger: Logger;
  readonly limits: Limits;
}

/** Services as a program gives them: what it leaves out has a default. */
export interface ServiceOptions {
  readonly formats: readonly DiskFormat[];
  readonly drivers?: readonly StorageDriver[] | undefined;
  /** Consulted by the default gate. */
  readonly volumeManager?: VolumeManager | undefined;
  /** In place of the default gate: volumes, then files below the roots. */
  readonly gate?: BackingGate | undefined;
  readonly codecs?: Partial<Codecs> | undefined;
  readonly crypto?: CryptoPrimitives | undefined;
  /** Has the keys of encrypted images. */
  readonly keys?: KeyProvider | undefined;
  readonly logger?: Logger | undefined;
  readonly limits?: Partial<Limits> | undefined;
}

export function completeServices(options: ServiceOptions): Services {
  const { formats, drivers = [], volumeManager, codecs, crypto, keys, logger = silent, limits } = options;
  return {
    formats,
    drivers,
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
