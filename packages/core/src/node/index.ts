/** `@diskstack/core/node`: storages and codecs of Node. The only part of core that imports `node:` modules. */
export type { FileIo } from './call-pace.ts';
export { digestDisk } from './digest-disk.ts';
export { FileDisk, type FileDiskOptions } from './file-disk.ts';
export { fileDriver } from './file-driver.ts';
export { fileIdentity } from './file-identity.ts';
export { lockFile } from './locks/image-lock.ts';
export type { FileLocking } from './locks/keep-out.ts';
export { createOutputFile, type OutputFile } from './output-file.ts';
export { makeZlibCodecs, type ZlibOptions, zlibCodecs } from './zlib-codecs.ts';
