export { createQcow, measureQcow } from './create/index.ts';
export type {
  CreateQcowOptions,
  EncryptionShape,
  MeasureQcowOptions,
  NamedFile,
  NewBacking,
  NewDataFile,
  NewEncryption,
  Preallocation,
  QcowMeasure,
  QcowShape,
} from './create/options.ts';
export { qcow, qcow2 } from './format.ts';
export type { QcowInfo } from './info.ts';
