import type { CreationOptions } from '../image-options/creation-options.ts';
import { escapeUnsafe } from '../terminal/safe-text.ts';

/** The keys of each format, in the order of qemu-img. */
const ORDER: Readonly<Record<string, readonly string[]>> = {
  raw: ['size', 'nocow', 'preallocation', 'extent_size_hint'],
  qcow: ['size', 'backing_file', 'backing_fmt', 'encryption', 'encrypt.format', 'encrypt.key-secret'],
  qcow2: [
    'encryption',
    'encrypt.format',
    'encrypt.key-secret',
    'encrypt.cipher-alg',
    'encrypt.cipher-mode',
    'encrypt.ivgen-alg',
    'encrypt.ivgen-hash-alg',
    'encrypt.hash-alg',
    'encrypt.iter-time',
    'cluster_size',
    'extended_l2',
    'preallocation',
    'compression_type',
    'size',
    'compat',
    'backing_file',
    'backing_fmt',
    'data_file',
    'data_file_raw',
    'lazy_refcounts',
    'refcount_bits',
    'nocow',
    'extent_size_hint',
  ],
};

/** The values that qemu-img prints for keys that are not given. */
const DEFAULTS: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  qcow2: [
    ['cluster_size', '65536'],
    ['extended_l2', 'off'],
    ['compression_type', 'zlib'],
    ['lazy_refcounts', 'off'],
    ['refcount_bits', '16'],
  ],
};

/** The line that qemu-img prints before it makes an image. */
export function formattingLine(
  image: string,
  size: number,
  options: CreationOptions,
  backing: { readonly name: string; readonly format: string | undefined } | undefined,
): string {
  const { format, given } = options;
  const values = new Map([...(DEFAULTS[format] ?? []), ...given]);
  values.set('size', String(size));
  if (backing !== undefined) values.set('backing_file', backing.name);
  if (backing?.format !== undefined) values.set('backing_fmt', backing.format);
  for (const [key, bytes] of [
    ['cluster_size', options.qcow.clusterSize],
    ['extent_size_hint', options.extentSizeHint],
  ] as const)
    if (bytes !== undefined) values.set(key, String(bytes));
  const words = (ORDER[format] ?? ['size']).flatMap((key) => {
    const value = values.get(key);
    return value === undefined ? [] : [`${key}=${value}`];
  });
  return escapeUnsafe([`Formatting '${image}', fmt=${format}`, ...words].join(' '));
}
