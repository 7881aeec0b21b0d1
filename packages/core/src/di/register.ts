import type { DependencyContainer, InjectionToken } from 'tsyringe';
import { createDisks, type Disks } from '../disks.ts';
import type { ServiceOptions } from '../stack/services.ts';
import {
  BACKING_GATE,
  CODECS,
  CRYPTO,
  DISK_FORMAT,
  DISKS,
  KEY_PROVIDER,
  LIMITS,
  LOGGER,
  PROBE_REGISTRY,
  STORAGE_DRIVER,
  VOLUME_LAYOUT,
  VOLUME_MANAGER,
} from './tokens.ts';

/**
 * Registers diskstack in a container. Call it once, in the composition root of the program. Services passed here are registered
 * under their tokens. Others can be registered before or after, until the first `resolve(DISKS)`:
 *
 *     container.register(DISK_FORMAT, { useValue: vdi });   // one line for one more format
 *
 * Registers nothing in a parent of the container. The container never holds an open disk.
 */
export function registerDisks(container: DependencyContainer, options: Partial<ServiceOptions> = {}): void {
  for (const format of options.formats ?? []) container.register(DISK_FORMAT, { useValue: format });
  for (const driver of options.drivers ?? []) container.register(STORAGE_DRIVER, { useValue: driver });
  for (const layout of options.layouts ?? []) container.register(VOLUME_LAYOUT, { useValue: layout });
  const { volumeManager, gate, logger } = options;
  if (volumeManager !== undefined) container.register(VOLUME_MANAGER, { useValue: volumeManager });
  if (gate !== undefined) container.register(BACKING_GATE, { useValue: gate });
  if (logger !== undefined) container.register(LOGGER, { useValue: logger });

  // One `Disks` per container. tsyringe calls a factory at each resolve, with the container that resolves. A child container may
  // have services of its own (the volume manager of one machine, for example), which no other container may use.
  const known = new WeakMap<DependencyContainer, Disks>();
  container.register(DISKS, {
    useFactory: (services) => {
      const disks = known.get(services) ?? createDisks(collect(services, options));
      known.set(services, disks);
      return disks;
    },
  });
  container.register(PROBE_REGISTRY, { useFactory: (services) => services.resolve(DISKS).registry });
}

function collect(services: DependencyContainer, options: Partial<ServiceOptions>): ServiceOptions {
  return {
    formats: all(services, DISK_FORMAT),
    drivers: all(services, STORAGE_DRIVER),
    layouts: all(services, VOLUME_LAYOUT),
    volumeManager: optional(services, VOLUME_MANAGER),
    gate: optional(services, BACKING_GATE),
    codecs: { ...options.codecs, ...Object.assign({}, ...all(services, CODECS)) },
    crypto: optional(services, CRYPTO) ?? options.crypto,
    keys: optional(services, KEY_PROVIDER) ?? options.keys,
    logger: optional(services, LOGGER),
    limits: optional(services, LIMITS) ?? options.limits,
  };
}

/** All registrations of a token. tsyringe throws if there are none. */
function all<T>(services: DependencyContainer, token: InjectionToken<T>): T[] {
  return services.isRegistered(token, true) ? services.resolveAll(token) : [];
}

function optional<T>(services: DependencyContainer, token: InjectionToken<T>): T | undefined {
  return services.isRegistered(token, true) ? services.resolve(token) : undefined;
}
