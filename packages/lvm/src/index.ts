export { lvm2 } from './lvm2.ts';
export type { ConfigNode, ConfigScalar, ConfigSection, ConfigValue } from './metadata/config.ts';
export { parseConfig } from './metadata/parse.ts';
export { serializeConfig } from './metadata/serialize.ts';
export { volumeManager } from './volume-manager.ts';
