import { DiskError, quote, SliceDisk } from '@diskstack/core';
import { defineCommand } from '../command-line/define-command.ts';
import { parseCreationOptions } from '../image-options/creation-options.ts';
import { outputFormatOption } from '../options/creation-option.ts';
import { SIZES } from '../options/number-notes.ts';
import { forceShareOption, formatOption, pvOption } from '../options/open-options.ts';
import { withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { say } from '../terminal/stderr.ts';
import { type CopyFlags, type CopyJob, parseWriting } from '../transfer/copy-job.ts';
import { passStream, writeNew, writeNewRaw, writeStream } from '../transfer/copy-output.ts';
import { isOneStream, openSource } from '../transfer/copy-source.ts';
import { partOf, rawInput, spooled } from '../transfer/raw-input.ts';
import { isStandardOutput } from '../transfer/standard-streams.ts';
import { parseSize } from '../values/byte-size.ts';

export const command = defineCommand<CopyFlags>({
  name: 'dd',
  operands: '<operands...>',
  usage: '[options] if=<image> of=<output> [bs=<size>] [count=<blocks>] [skip=<blocks>]',
  summary: 'copy blocks of a disk: if=IMAGE of=OUTPUT bs=BYTES count=BLOCKS skip=BLOCKS',
  options: [outputFormatOption(), forceShareOption(), formatOption(), pvOption()],
  notes: `A block has 512 bytes, or bs= bytes. The copy ends at block count= of the input, so skipped blocks count.
The name - is standard input (read as raw) or standard output. ${SIZES}`,
  run: dd,
});

/** The operands, parsed. */
interface Operands {
  readonly input: string;
  readonly output: string;
  /** The first byte of the input to copy, and the byte after the last. */
  readonly start: number;
  readonly end: number;
}

const KNOWN = ['bs', 'count', 'if', 'of', 'skip'];
const DEFAULT_BLOCK = 512;
const LARGEST_BLOCK = 2 ** 31 - 1;

/** `diskstack dd if=INPUT of=OUTPUT [bs=BYTES] [count=BLOCKS] [skip=BLOCKS]` */
async function dd(flags: CopyFlags, ...operands: string[]): Promise<void> {
  const { input, output, start, end } = parseOperands(operands);
  const isSent = isStandardOutput(output);
  await interruptible((signal) =>
    withSession(flags, async (session) => {
      const options = parseCreationOptions(session.disks, flags.outputFormat);
      const isPlain = options.creation.plain ?? false;
      if (isSent && !isPlain)
        throw new DiskError('ERR_ARGUMENT', `${options.format} images cannot be written to standard output`);
      const job: CopyJob = { session, flags, output, options, writing: parseWriting(flags), signal };
      if (isOneStream([input])) {
        const stream = partOf(await rawInput(session, flags, signal), start, end);
        if (isSent) return passStream(job, stream);
        if (isPlain) return writeNewRaw(job, stream);
        await using disk = await spooled(stream, undefined, signal);
        const close = async (): Promise<void> => {};
        return await writeNew(job, { disk, images: [disk], files: [], unreadable: undefined, close });
      }
      const source = await openSource(job, [input]);
      const last = Math.min(end, source.disk.size());
      if (start > last)
        say(`${quote(input)}: cannot skip to byte ${start}: the part to copy ends at ${last}`);
      const disk = new SliceDisk(source.disk, Math.min(start, last), Math.max(0, last - start));
      await disk.init({ signal });
      const part = { ...source, disk };
      await (isSent ? writeStream(job, part) : writeNew(job, part));
    }),
  );
}

function parseOperands(operands: readonly string[]): Operands {
  const given = new Map<string, string>();
  for (const operand of operands) {
    const at = operand.indexOf('=');
    const key = at < 0 ? operand : operand.slice(0, at);
    if (at < 0 || !KNOWN.includes(key))
      throw new DiskError(
        'ERR_ARGUMENT',
        `dd has no operand ${quote(operand)}; there are ${KNOWN.map((name) => `${name}=`).join(', ')}`,
      );
    given.set(key, operand.slice(at + 1)); // the last one wins
  }
  const [input, output] = [given.get('if'), given.get('of')];
  if (input === undefined || output === undefined)
    throw new DiskError('ERR_ARGUMENT', 'dd needs both if=INPUT and of=OUTPUT');
  const block = numberOf(given, 'bs') ?? DEFAULT_BLOCK;
  if (block < 1 || block > LARGEST_BLOCK)
    throw new DiskError('ERR_ARGUMENT', `bs is a number from 1 to ${LARGEST_BLOCK}, not ${block}`);
  const count = numberOf(given, 'count');
  return {
    input,
    output,
    start: (numberOf(given, 'skip') ?? 0) * block,
    end: count === undefined ? Number.POSITIVE_INFINITY : count * block, // a block of the input, as in qemu-img
  };
}

function numberOf(given: ReadonlyMap<string, string>, key: string): number | undefined {
  const text = given.get(key);
  return text === undefined ? undefined : parseSize(text, key);
}
