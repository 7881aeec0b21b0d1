export { createQcow, createQcow1, measureQcow } from './create/index.ts';
export type {
  CreateQcow1Options,
  CreateQcowOptions,
  EncryptionShape,
  MeasureQcowOptions,
  NamedFile,
  NewBacking,
  NewDataFile,
  NewEncryption,
  Preallocation,
  QcowShape,
} from './create/options.ts';
export type { QcowInfo } from './describe/info.ts';
export { qcow, qcow2 } from './format.ts';
