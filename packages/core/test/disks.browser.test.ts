import { BlobDisk } from '../src/disks/blob-disk.ts';
import { CachedDisk } from '../src/disks/cached-disk.ts';
import { describeDiskModule, pattern, patternDisk } from '../src/testing/index.ts';

const SIZE = 100_003;
const expected = pattern(SIZE);

describeDiskModule('BlobDisk in a browser', {
  open: () => new BlobDisk(new Blob([pattern(SIZE)])),
  expected,
});
describeDiskModule('CachedDisk over a File in a browser', {
  open: () =>
    new CachedDisk(new BlobDisk(new File([pattern(SIZE)], 'disk.img')), {
      blockBytes: 4096,
      maxBytes: 20_000,
    }),
  expected,
});
describeDiskModule('a pattern disk in a browser', { open: () => patternDisk(SIZE), expected });
