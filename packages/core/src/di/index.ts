/** `@diskstack/core/di`: tokens and wiring for a tsyringe container. Does not load tsyringe itself. */
export { registerDisks } from './register.ts';
export {
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
