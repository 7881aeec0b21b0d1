export { qcow, qcow2 } from './format.ts';
export type { QcowInfo } from './info.ts';
