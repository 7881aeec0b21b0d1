import { noise, random, text } from './content.ts';
import {
  compressed,
  compressedV1,
  FIRST_FREE,
  type ImageSpec,
  qcow1Image,
  qcow2Image,
  standard,
  ZERO_FLAG,
} from './image-builder.ts';

/** An image with every kind of cluster in turn, and the guest bytes that it must read as. */
export interface Sample {
  readonly image: Uint8Array<ArrayBuffer>;
  readonly expected: Uint8Array<ArrayBuffer>;
}

export type Compress = (bytes: Uint8Array) => Uint8Array;

const BITS = 12;
const CLUSTER = 2 ** BITS;
const CLUSTERS = 48;
/** The last cluster is incomplete, and so is its last sector. */
const SAMPLE_SIZE = CLUSTERS * CLUSTER - 1213;

interface Options {
  /** For compressed clusters. Without it there are none. */
  readonly compress?: Compress;
  /** The base: its name, and its guest bytes. */
  readonly base?: readonly [string, Uint8Array];
  readonly zstd?: boolean;
}

/** Version 2 or 3: plain, compressed, zero and unallocated clusters. */
export function sample(version: 2 | 3, options: Options = {}): Sample {
  const { compress, base, zstd = false } = options;
  const kinds = ['plain', 'none', ...(version === 3 ? ['zero'] : []), ...(compress ? ['compressed'] : [])];
  const { expected, contents, next } = start(base);
  const l2: Record<number, bigint> = {};
  const at: [number, Uint8Array][] = [];
  let host = FIRST_FREE * CLUSTER;
  for (const [index, content] of contents.entries()) {
    const kind = kinds[next(kinds.length)];
    if (kind === 'none') continue;
    if (kind === 'zero') {
      l2[index] = next(2) === 0 ? ZERO_FLAG : standard(FIRST_FREE * CLUSTER) | ZERO_FLAG;
      expected.fill(0, index * CLUSTER, (index + 1) * CLUSTER);
      continue;
    }
    expected.set(content.subarray(0, SAMPLE_SIZE - index * CLUSTER), index * CLUSTER);
    const stored = kind === 'compressed' && compress !== undefined ? compress(content) : content;
    if (stored === content) host = Math.ceil(host / CLUSTER) * CLUSTER;
    l2[index] = stored === content ? standard(host) : compressed(host, stored.length, BITS);
    at.push([host, stored]);
    host += stored.length;
  }
  const spec: ImageSpec = { version, clusterBits: BITS, size: SAMPLE_SIZE, l2, at };
  const backed = base === undefined ? spec : { ...spec, backing: base[0] };
  const image = qcow2Image(
    zstd ? { ...backed, header: { incompatibleFeatures: 8n, compressionType: 1 } } : backed,
  );
  return { image, expected };
}

/** Version 1: plain, compressed and unallocated clusters, at any sector. */
export function sampleV1(options: Options = {}): Sample {
  const { compress, base } = options;
  const { expected, contents, next } = start(base);
  const entries: Record<number, bigint> = {};
  const at: [number, Uint8Array][] = [];
  let host = 8192;
  for (const [index, content] of contents.entries()) {
    const kind = next(compress === undefined ? 2 : 3);
    if (kind === 0) continue;
    expected.set(content.subarray(0, SAMPLE_SIZE - index * CLUSTER), index * CLUSTER);
    const packed = kind === 2 && compress !== undefined ? compress(content) : content;
    const stored = packed.length < CLUSTER ? packed : content; // the size field has room for no more
    if (stored === content) host = Math.ceil(host / 512) * 512;
    entries[index] = stored === content ? BigInt(host) : compressedV1(host, stored.length, BITS);
    at.push([host, stored]);
    host += stored.length;
  }
  const spec = { clusterBits: BITS, size: SAMPLE_SIZE, tables: { 0: { at: 1024, entries } }, at };
  return { image: qcow1Image(base === undefined ? spec : { ...spec, backing: base[0] }), expected };
}

/** Extended L2 entries: 32 sub-clusters of 512 bytes in each cluster of 16 KiB, with any bits. */
export function sampleExtended(options: Options = {}): Sample {
  const { base } = options;
  const bits = 14;
  const cluster = 2 ** bits;
  const { expected, next } = start(base);
  const l2: Record<number, bigint> = {};
  const bitmaps: Record<number, bigint> = {};
  const at: [number, Uint8Array][] = [];
  for (let index = 0; index * cluster < SAMPLE_SIZE; index++) {
    const host = (FIRST_FREE + index) * cluster;
    const content = noise(cluster, 300 + index);
    l2[index] = standard(host);
    at.push([host, content]);
    let bitmap = 0n;
    for (let sub = 0; sub < 32; sub++) {
      const guest = index * cluster + sub * 512;
      const kind = index === 1 ? 1 : next(3); // the second cluster is wholly allocated
      if (kind === 1) {
        bitmap |= 1n << BigInt(sub);
        expected.set(
          content.subarray(sub * 512, (sub + 1) * 512).subarray(0, Math.max(0, SAMPLE_SIZE - guest)),
          Math.min(guest, SAMPLE_SIZE),
        );
      } else if (kind === 2) {
        bitmap |= 1n << BigInt(sub + 32);
        expected.fill(0, guest, guest + 512);
      }
    }
    bitmaps[index] = bitmap;
  }
  const spec: ImageSpec = { clusterBits: bits, size: SAMPLE_SIZE, l2, bitmaps, at };
  return { image: qcow2Image(base === undefined ? spec : { ...spec, backing: base[0] }), expected };
}

function start(base: Options['base']) {
  const expected = new Uint8Array(SAMPLE_SIZE);
  if (base !== undefined) expected.set(base[1].subarray(0, SAMPLE_SIZE));
  const contents = Array.from({ length: CLUSTERS }, (_, index) =>
    index % 3 === 0 ? noise(CLUSTER, 100 + index) : text(CLUSTER, 200 + index),
  );
  return { expected, contents, next: random(42) };
}
