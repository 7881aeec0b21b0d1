/** `@diskstack/core/node`: storages and codecs of Node. The only part of core that imports `node:` modules. */
export { FileDisk, type FileDiskOptions, type FileIo } from './file-disk.ts';
export { fileDriver } from './file-driver.ts';
export { createOutputFile, type OutputFile } from './output-file.ts';
export { zlibCodecs } from './zlib-codecs.ts';
