import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { BYTES } from '../options/number-notes.ts';
import {
  forceShareOption,
  formatOption,
  type OpenFlags,
  pvOption,
  snapshotOption,
} from '../options/open-options.ts';
import { hexDump, offsetWidth } from '../report/hex-dump.ts';
import { withSession } from '../session/session.ts';
import { print } from '../terminal/stdout.ts';
import { parseBytes } from '../values/byte-size.ts';

interface ReadFlags extends OpenFlags {
  readonly raw?: boolean;
}

export const command = defineCommand<ReadFlags>({
  name: 'read',
  operands: '<image> <offset> <length>',
  summary: 'print guest bytes as a hex dump',
  options: [
    new Option('--raw', 'write the bytes themselves to stdout'),
    forceShareOption(),
    formatOption(),
    snapshotOption(),
    pvOption(),
  ],
  notes: `${BYTES} Bytes past the end of the disk are left out.`,
  run: read,
});

/** Bytes of one read: whole lines of a dump. */
const PIECE = 256 * 1024;

/** `diskstack read IMAGE OFFSET LENGTH` */
async function read(flags: ReadFlags, image: string, offset: string, length: string): Promise<void> {
  const start = parseBytes(offset, 'OFFSET');
  const wanted = parseBytes(length, 'LENGTH');
  await withSession(flags, async (session) => {
    const disk = await session.open(image);
    const end = Math.min(start + wanted, disk.size());
    const buffer = new Uint8Array(Math.max(0, Math.min(PIECE, end - start)));
    const width = offsetWidth(end);
    for (let at = start; at < end; ) {
      const bytes = await disk.read(at, Math.min(PIECE, end - at), { into: buffer });
      await print(flags.raw ? bytes : hexDump(bytes, at, width));
      at += bytes.length;
    }
  });
}
