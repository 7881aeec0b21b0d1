import { DiskError, type DiskModule, type Io, type Limits } from '@diskstack/core';
import { compressorOf, decodeText, decompressorOf, type Load } from '@diskstack/core/format';
import { sharedInfo } from '../describe/info.ts';
import { type FileName, namedDisk } from '../image/file-name.ts';
import { readPart, readStructure } from '../image/structure.ts';
import { validateNameLength } from '../image/validate.ts';
import { geometryV1, l1EntriesFor } from '../layout/geometry.ts';
import { decodeHeaderV1, HEADER_V1, type HeaderV1 } from '../layout/header.ts';
import { l2TableOffsetV1 } from '../layout/l1-entry.ts';
import { describeV1 } from '../tables/clusters/v1.ts';
import { readL1Table } from '../tables/l1-table.ts';
import { L2Tables } from '../tables/l2-tables.ts';
import { QcowMapping } from '../tables/qcow-mapping.ts';
import type { V1Sources } from '../write/v1/open-v1-writer.ts';
import type { V1Writer } from '../write/v1/v1-writer.ts';

/** Version 1. */
export const loadV1: Load = async (file, context, io) => {
  const header = decodeHeaderV1(await readPart(file, 0, HEADER_V1.size, io));
  validate(header);
  const { limits, codecs } = context;
  const geometry = geometryV1(header.clusterBits, header.l2Bits);
  const l1Entries = l1EntriesFor(header.size, geometry);
  const l1Table = await readL1Table(file, header.l1TableOffset, l1Entries, limits, io);
  const named = await readBacking(file, header, limits, io);
  const backingFileName = named === undefined ? '' : decodeText(named.name);
  const encrypted = header.cryptMethod === 1;
  const cipher = encrypted ? await (await import('../image/encryption.ts')).legacyAes(context) : undefined;
  const writes = context.mountMode === 'rw' && file.writable;
  const l2Tables = new L2Tables(file, geometry, limits.tableCacheBytes, !writes);
  const base = named === undefined ? undefined : await context.openBase(namedDisk(named), io);
  const compress = compressorOf(codecs, 'deflate');
  const sources = { file, geometry, l1: l1Table, l2Tables, base, encrypted, compress };
  const writer = writes ? await writerOf(sources) : undefined;

  return new QcowMapping({
    size: () => header.size,
    info: () => ({
      format: 'qcow',
      ...sharedInfo(1, header.size, geometry.clusterSize, backingFileName),
      dirty: false,
      ...(header.cryptMethod === 1 ? { encrypted: true } : {}),
      ...(named === undefined ? {} : { backing: { name: backingFileName } }),
    }),
    geometry,
    cipher,
    decompress: decompressorOf(codecs, 'deflate'),
    l1Table,
    l2Tables,
    l2TableOffset: l2TableOffsetV1,
    l2TableAlignment: 1,
    describe: describeV1(geometry, file),
    base,
    writer,
  });
};

/** Loads the write side only for images that are opened for writing. Closes the base when that fails. */
async function writerOf(sources: V1Sources): Promise<V1Writer> {
  try {
    return await (await import('../write/v1/open-v1-writer.ts')).openV1Writer(sources);
  } catch (error) {
    await sources.base?.close();
    throw error;
  }
}

function validate({ size, clusterBits, l2Bits, cryptMethod }: HeaderV1): void {
  const { at } = HEADER_V1;
  if (size < 2) {
    throw new DiskError('ERR_CORRUPT', `the disk has ${size} bytes, version 1 has at least 2`, {
      offset: at.size,
    });
  }
  if (clusterBits < 9 || clusterBits > 16) {
    throw new DiskError('ERR_CORRUPT', `cluster_bits is ${clusterBits}, 9 to 16 are allowed`, {
      offset: at.clusterBits,
    });
  }
  if (l2Bits < 6 || l2Bits > 13) {
    throw new DiskError('ERR_CORRUPT', `l2_bits is ${l2Bits}, 6 to 13 are allowed`, { offset: at.l2Bits });
  }
  if (cryptMethod > 1) {
    throw new DiskError('ERR_CORRUPT', `crypt_method is ${cryptMethod}, 0 and 1 are known`, {
      offset: at.cryptMethod,
    });
  }
}

async function readBacking(
  file: DiskModule,
  { backingFileOffset: offset, backingFileSize: length }: HeaderV1,
  limits: Limits,
  io: Io,
): Promise<FileName | undefined> {
  if (offset === 0 || length === 0) return undefined;
  validateNameLength(length, limits);
  return { name: await readStructure(file, { what: 'a backing file name', at: offset, length }, io), offset };
}
