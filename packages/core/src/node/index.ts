/** `@diskstack/core/node`: storages and codecs for Node. The only part of core that imports `node:` modules. */

export type { ByteLocks, Clones, FileSpace, Holes, Host } from '../contracts/host.ts';
export { digestDisk } from './digest-disk.ts';
export type { FileIo } from './file/call-pace.ts';
export { FileDisk, type FileDiskOptions } from './file/file-disk.ts';
export { fileDriver } from './file/file-driver.ts';
export { createOutputFile, type OutputFile, type OutputFileOptions } from './file/output-file.ts';
export { fileIdentity } from './identity/file-identity.ts';
export { sharesStorage } from './identity/shares-storage.ts';
export type { FileLocking } from './locks/keep-out.ts';
export { lockFile } from './locks/lock-by-path.ts';
export { makeZlibCodecs, type ZlibOptions, zlibCodecs } from './zlib/zlib-codecs.ts';
