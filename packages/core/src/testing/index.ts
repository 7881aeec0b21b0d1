export { type Behaviour, type ConformanceOptions, describeDiskModule } from './conformance.ts';
export { CrashDisk, type DiskEvent } from './crash-disk.ts';
export { diskErrorOf } from './disk-error-of.ts';
export { type FaultDisk, type FaultDiskOptions, faultDisk } from './fault-disk.ts';
export { explainPattern, firstDifference, pattern, patternDisk } from './pattern-disk.ts';
export { type DriverCall, type SpyDriver, spyDriver } from './spy-driver.ts';
