import type { InjectionToken } from 'tsyringe';
import type { Codecs } from '../contracts/codec.ts';
import type { CryptoPrimitives, KeyProvider } from '../contracts/crypto.ts';
import type { DiskFormat } from '../contracts/disk-format.ts';
import type { Limits, Logger } from '../contracts/services.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import type { VolumeLayout } from '../contracts/volume-layout.ts';
import type { VolumeManager } from '../contracts/volume-manager.ts';
import type { Disks } from '../disks.ts';
import type { BackingGate } from '../stack/backing-gate.ts';
import type { ProbeRegistry } from '../stack/probe-registry.ts';
import type { Lazy } from '../stack/services.ts';

// A cast, because `const T: InjectionToken<X> = Symbol()` resolves to `unknown`.
const token = <T>(name: string) => Symbol(name) as InjectionToken<T>;

/** Formats, one registration each. */
export const DISK_FORMAT: InjectionToken<DiskFormat> = token<DiskFormat>('DiskFormat');
/** Storage drivers, one registration each. Plain paths go to the first one. */
export const STORAGE_DRIVER: InjectionToken<StorageDriver> = token<StorageDriver>('StorageDriver');
/** Partition tables and volume groups, one registration each. */
export const VOLUME_LAYOUT: InjectionToken<VolumeLayout> = token<VolumeLayout>('VolumeLayout');
/** The service that finds logical volumes. */
export const VOLUME_MANAGER: InjectionToken<VolumeManager> = token<VolumeManager>('VolumeManager');
/** Replaces the default gate. */
export const BACKING_GATE: InjectionToken<BackingGate> = token<BackingGate>('BackingGate');
/** Codecs by name. Several registrations are merged; the last one of a name counts. */
export const CODECS: InjectionToken<Codecs> = token<Codecs>('Codecs');
/** Block ciphers, hashes and key derivation, for encrypted images. */
export const CRYPTO: InjectionToken<Lazy<CryptoPrimitives>> =
  token<Lazy<CryptoPrimitives>>('CryptoPrimitives');
/** Returns the keys of encrypted images. */
export const KEY_PROVIDER: InjectionToken<KeyProvider> = token<KeyProvider>('KeyProvider');
export const LOGGER: InjectionToken<Logger> = token<Logger>('Logger');
export const LIMITS: InjectionToken<Limits> = token<Limits>('Limits');
/** The formats of the program, by name and by probe. */
export const PROBE_REGISTRY: InjectionToken<ProbeRegistry> = token<ProbeRegistry>('ProbeRegistry');
/** The opener, which a program resolves. */
export const DISKS: InjectionToken<Disks> = token<Disks>('Disks');
