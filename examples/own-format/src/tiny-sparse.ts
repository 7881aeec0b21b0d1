import { DiskError } from '@diskstack/core';
import {
  bytes,
  type DiskFormat,
  type Load,
  MappedDisk,
  magicAt,
  offset64,
  readFully,
  struct,
  u32,
} from '@diskstack/core/format';

// A complete format. The file has this header, then a block map, then the stored blocks. The map has a number for each block of
// the disk: that of the stored block, counted from 1, or 0 for a hole.

const MAGIC = [...'TINYSPRS'].map((char) => char.charCodeAt(0));
const HEADER = struct('little', { magic: bytes(8), size: offset64, blockSize: u32 });
const MAX_MAP_BYTES = 32 * 1024 * 1024; // allocate by our own limit, never by a number in the image alone

const load: Load = async (downstream, _context, io) => {
  const { size, blockSize } = HEADER.decode(await downstream.read(0, HEADER.size, io));
  if (blockSize === 0)
    throw new DiskError('ERR_CORRUPT', 'the block size is 0', { offset: HEADER.at.blockSize });
  const mapBytes = Math.ceil(size / blockSize) * 4;
  const limit = Math.min(MAX_MAP_BYTES, downstream.size() - HEADER.size);
  if (mapBytes > limit) {
    throw new DiskError('ERR_CORRUPT', `the block map has ${mapBytes} bytes, at most ${limit} are possible`, {
      offset: HEADER.size,
    });
  }
  const map = new DataView(new ArrayBuffer(mapBytes));
  await readFully(downstream, HEADER.size, new Uint8Array(map.buffer), io);
  const firstBlock = HEADER.size + mapBytes;

  return {
    size,
    info: { format: 'tiny-sparse', virtualSize: size, clusterSize: blockSize },
    translate(offset, length, extents) {
      for (let at = offset; at < offset + length && !extents.full; ) {
        const inBlock = at % blockSize;
        const part = Math.min(offset + length - at, blockSize - inBlock);
        const stored = map.getUint32(((at - inBlock) / blockSize) * 4, true);
        if (stored === 0) extents.zero(part);
        else extents.data(part, firstBlock + (stored - 1) * blockSize + inBlock);
        at += part;
      }
      return undefined;
    },
  };
};

const tinySparse: DiskFormat = {
  name: 'tiny-sparse',
  title: 'a small sparse format',
  probe: magicAt(0, ...MAGIC),
  open: (downstream, context) =>
    new MappedDisk({
      type: 'TINY',
      format: 'tiny-sparse',
      downstream,
      ...context,
      load: (io) => load(downstream, context, io),
    }),
};

// `diskstack --plugin` registers these. A plugin can also export `drivers` and `layouts`.
export const formats: readonly DiskFormat[] = [tinySparse];
