import { portableCodecs } from '@diskstack/core';
import { zlibCodecs } from '@diskstack/core/node';

/** Every decompressor by name. The same tests run with each. */
export const EACH_CODEC = [
  ['portable codecs', { codecs: portableCodecs }],
  ['codecs of node:zlib', { codecs: zlibCodecs }],
] as const;
