import { DiskError, type DiskModule, quote } from '@diskstack/core';
import { writeFully } from '@diskstack/core/format';
import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { BYTES } from '../options/number-notes.ts';
import { formatOption, type OpenFlags } from '../options/open-options.ts';
import { requireAbility } from '../session/abilities.ts';
import { withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { print } from '../terminal/stdout.ts';
import { standardInput } from '../transfer/standard-streams.ts';
import { parseBytes } from '../values/byte-size.ts';

interface WriteFlags extends OpenFlags {
  readonly pattern?: string;
  readonly length?: string;
  readonly zeroes?: boolean;
  readonly unmap?: boolean;
}

export const command = defineCommand<WriteFlags>({
  name: 'write',
  operands: '<image> <offset>',
  summary: 'write stdin, or a pattern, into a disk',
  options: [
    new Option('--pattern <byte>', 'write this byte repeatedly instead of stdin'),
    new Option('--zeroes', 'write zeroes; by metadata alone where the format can'),
    new Option('--unmap', 'with --zeroes: also free their space'),
    new Option('--length <length>', 'length of the pattern, or of the zeroes'),
    formatOption(),
  ],
  notes: `${BYTES} A write past the end of the disk is refused before anything is written; of stdin, the first 64 MiB are checked in advance.`,
  run: write,
});

/** Bytes of stdin that are held back before the first write. */
const LOOK_AHEAD = 64 * 1024 * 1024;
/** Bytes of one write. */
const PIECE = 2 * 1024 * 1024;

/** `diskstack write IMAGE OFFSET` */
async function write(flags: WriteFlags, image: string, offsetText: string): Promise<void> {
  const offset = parseBytes(offsetText, 'OFFSET');
  const pattern = flags.pattern === undefined ? undefined : parseByte(flags.pattern);
  const length = flags.length === undefined ? undefined : parseBytes(flags.length, '--length');
  if (pattern !== undefined && flags.zeroes === true)
    throw new DiskError('ERR_ARGUMENT', '--pattern and --zeroes exclude each other');
  const isMade = pattern !== undefined || flags.zeroes === true;
  if (isMade !== (length !== undefined))
    throw new DiskError('ERR_ARGUMENT', '--length goes with --pattern or --zeroes, and they need it');
  await interruptible((signal) =>
    withSession(flags, async (session) => {
      const disk = await session.open(image, { mountMode: 'rw', signal });
      if (length !== undefined) refusePastEnd(disk, offset, length);
      let done = 0;
      if (flags.zeroes && length !== undefined) {
        const able = requireAbility(disk, 'writeZeroes', 'way to write zeroes');
        await able.writeZeroes(offset, length, { unmap: flags.unmap, signal });
        done = length;
      } else {
        for await (const bytes of pattern === undefined
          ? lookedAhead(stdinPieces(signal), (known) => refusePastEnd(disk, offset, known))
          : patternPieces(pattern, length ?? 0)) {
          await writeFully(disk, offset + done, bytes, { signal });
          done += bytes.length;
        }
      }
      await session.close(disk); // everything is on stable storage after that
      await print(`wrote ${done}/${done} bytes at offset ${offset}\n`);
    }),
  );
}

/** Refuses a write that does not fit. It is refused as a whole, because half of it is useless. */
function refusePastEnd(disk: DiskModule, offset: number, length: number): void {
  if (offset + length <= disk.size()) return;
  throw new DiskError(
    'ERR_OUT_OF_BOUNDS',
    `a write of ${length} bytes at offset ${offset} ends past the end of the disk, ${disk.size()}`,
  );
}

function parseByte(text: string): number {
  const value = /^(0x[0-9a-f]{1,2}|[0-9]{1,3})$/i.test(text) ? Number(text) : Number.NaN;
  if (value <= 255) return value;
  throw new DiskError('ERR_ARGUMENT', `--pattern is a byte from 0 to 255 or 0xff, not ${quote(text)}`);
}

/** Passes the pieces on. The first `LOOK_AHEAD` bytes are held back, so that a short input is checked before any write. */
async function* lookedAhead(
  pieces: AsyncIterable<Uint8Array>,
  check: (known: number) => void,
): AsyncGenerator<Uint8Array> {
  const held: Uint8Array[] = [];
  let known = 0;
  for await (const piece of pieces) {
    held.push(piece);
    known += piece.length;
    check(known);
    if (known > LOOK_AHEAD) yield* held.splice(0);
  }
  yield* held;
}

/** Standard input in larger pieces. */
async function* stdinPieces(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of standardInput(signal)) {
    held.push(chunk);
    length += chunk.length;
    if (length < PIECE) continue;
    yield Buffer.concat(held);
    held = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(held);
}

async function* patternPieces(byte: number, length: number): AsyncGenerator<Uint8Array> {
  const bytes = new Uint8Array(Math.min(length, PIECE)).fill(byte);
  for (let done = 0; done < length; done += bytes.length) yield bytes.subarray(0, length - done);
}
