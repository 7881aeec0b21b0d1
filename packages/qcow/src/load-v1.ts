import { DiskError, decodeText, type Load, type NamedDisk } from '@diskstack/core';
import { describeV1 } from './clusters/v1.ts';
import { geometryV1, l1EntriesFor } from './geometry.ts';
import { sharedInfo } from './info.ts';
import { readL1Table } from './l1-table.ts';
import { L2Tables } from './l2-tables.ts';
import { HEADER_V1, type HeaderV1, readHeaderV1, readName } from './layout/header.ts';
import { l2TableOffsetV1 } from './layout/l1-entry.ts';
import { QcowMapping } from './qcow-mapping.ts';

/** Version 1. */
export const loadV1: Load = async (file, context, io) => {
  const header = await readHeaderV1(file, io);
  validate(header);
  const { limits, codecs } = context;
  const geometry = geometryV1(header.clusterBits, header.l2Bits);
  const l1Entries = l1EntriesFor(header.size, geometry);
  const l1Table = await readL1Table(file, header.l1TableOffset, l1Entries, limits, io);
  const named = await readBacking(
    header,
    (at, length) => readName(file, at, length, io),
    limits.maxNameBytes,
  );
  const backingFileName = named === undefined ? '' : decodeText(named.name);

  return new QcowMapping({
    info: {
      format: 'qcow',
      ...sharedInfo(1, header.size, geometry.clusterSize, backingFileName),
      dirty: false,
      ...(named === undefined ? {} : { backing: { name: backingFileName } }),
    },
    geometry,
    decompress: codecs.deflate,
    l1Table,
    l2Tables: new L2Tables(file, geometry, limits.tableCacheBytes),
    l2TableOffset: l2TableOffsetV1,
    l2TableAlignment: 1,
    describe: describeV1({ geometry, file }),
    base: named === undefined ? undefined : await context.openBase(named, io),
  });
};

function validate({ clusterBits, l2Bits, cryptMethod }: HeaderV1): void {
  const { at } = HEADER_V1;
  if (clusterBits < 9 || clusterBits > 16) {
    throw new DiskError('ERR_CORRUPT', `cluster_bits is ${clusterBits}, 9 to 16 are allowed`, {
      offset: at.clusterBits,
    });
  }
  if (l2Bits < 6 || l2Bits > 13) {
    throw new DiskError('ERR_CORRUPT', `l2_bits is ${l2Bits}, 6 to 13 are allowed`, { offset: at.l2Bits });
  }
  if (cryptMethod === 1) {
    throw new DiskError('ERR_UNSUPPORTED', 'AES encryption (crypt_method 1) is not supported', {
      offset: at.cryptMethod,
    });
  }
  if (cryptMethod !== 0) {
    throw new DiskError('ERR_CORRUPT', `crypt_method is ${cryptMethod}, 0 and 1 are known`, {
      offset: at.cryptMethod,
    });
  }
}

async function readBacking(
  { backingFileOffset: at, backingFileSize: length }: HeaderV1,
  read: (at: number, length: number) => Promise<Uint8Array>,
  maxNameBytes: number,
): Promise<NamedDisk | undefined> {
  if (at === 0 || length === 0) return undefined;
  if (length > maxNameBytes) {
    throw new DiskError(
      'ERR_LIMIT',
      `a backing file name of ${length} bytes, maxNameBytes allows ${maxNameBytes}`,
      {
        offset: HEADER_V1.at.backingFileSize,
      },
    );
  }
  return { name: await read(at, length), offset: at };
}
