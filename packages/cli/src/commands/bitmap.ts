import { type BitmapExtent, DiskError, type DiskModule, quote } from '@diskstack/core';
import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { formatOption, type OpenFlags } from '../options/open-options.ts';
import { repeatable } from '../options/repeatable.ts';
import { requireAbility } from '../session/abilities.ts';
import { type Session, withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { parseSize } from '../values/byte-size.ts';

type BitmapAction =
  | { readonly kind: 'add' | 'remove' | 'clear' | 'enable' | 'disable' }
  | { readonly kind: 'merge'; readonly source: string };

interface BitmapFlags extends OpenFlags {
  /** The actions, in the order of the command line. */
  readonly inOrder?: readonly BitmapAction[];
  readonly granularity?: string;
  readonly sourceFile?: string;
  readonly sourceFormat?: string;
}

export const command = defineCommand<BitmapFlags>({
  name: 'bitmap',
  operands: '<image> <name>',
  summary: 'change a dirty bitmap of an image',
  options: [
    new Option('--add', 'add the bitmap'),
    new Option('--remove', 'remove the bitmap'),
    new Option('--clear', 'mark everything clean'),
    new Option('--enable', 'record writes in the bitmap'),
    new Option('--disable', 'stop recording writes in the bitmap'),
    repeatable('--merge <bitmap>', 'mark dirty what this bitmap marks dirty (repeatable)'),
    new Option('-b, --source-file <image>', 'image of the bitmaps to merge. Default: the same image'),
    new Option('-F, --source-format <format>', 'format of that image'),
    new Option(
      '-g, --granularity <size>',
      'guest bytes for each bit of a new bitmap. Default: the cluster size, from 4k to 64k',
    ),
    formatOption(),
  ],
  notes: 'Several actions are done in the order in which they are given.',
  qemuNames: { '--source-file': '-b', '--source-format': '-F' },
  configure(command) {
    const inOrder: BitmapAction[] = [];
    const note = (action: BitmapAction): void => {
      inOrder.push(action);
      command.setOptionValue('inOrder', inOrder);
    };
    for (const kind of ['add', 'remove', 'clear', 'enable', 'disable'] as const)
      command.on(`option:${kind}`, () => note({ kind }));
    command.on('option:merge', (source: string) => note({ kind: 'merge', source }));
  },
  run: bitmap,
});

/** `diskstack bitmap --add|--remove|--clear|--enable|--disable|--merge SOURCE IMAGE NAME`. Runs the actions in their order. */
async function bitmap(flags: BitmapFlags, image: string, name: string): Promise<void> {
  const { inOrder: actions = [] } = flags;
  const granularity =
    flags.granularity === undefined ? undefined : parseSize(flags.granularity, '--granularity');
  checkFlags(actions, flags);
  await interruptible((signal) =>
    withSession(flags, async (session) => {
      const disk = await session.open(image, { metadataOnly: true, mountMode: 'rw', signal });
      const { bitmapStore } = requireAbility(disk, 'bitmapStore', 'bitmaps');
      const source = await sourceOf(session, flags, signal);
      for (const action of actions) {
        const { kind } = action;
        if (kind === 'add') await bitmapStore.add({ name, granularity }, { signal });
        else if (kind === 'remove') await bitmapStore.remove(name, { signal });
        else if (kind === 'clear') await bitmapStore.clear(name, { signal });
        else if (kind === 'merge')
          await bitmapStore.merge(name, dirtyIn(source ?? disk, action.source, disk.size()), { signal });
        else await bitmapStore.setAuto(name, kind === 'enable', { signal });
      }
      if (source !== undefined) await session.close(source);
      await session.close(disk);
    }),
  );
}

function checkFlags(actions: readonly BitmapAction[], flags: BitmapFlags): void {
  const has = (kind: BitmapAction['kind']): boolean => actions.some((action) => action.kind === kind);
  if (actions.length === 0)
    refuse('nothing to do; give --add, --remove, --clear, --enable, --disable or --merge');
  if (flags.granularity !== undefined && !has('add')) refuse('--granularity goes with --add');
  if (flags.sourceFile !== undefined && !has('merge')) refuse('--source-file goes with --merge');
  if (flags.sourceFormat !== undefined && flags.sourceFile === undefined)
    refuse('--source-format goes with --source-file');
}

/** The image that `--merge` takes bitmaps from, if it is another one. */
async function sourceOf(
  session: Session,
  { sourceFile, sourceFormat }: BitmapFlags,
  signal: AbortSignal,
): Promise<DiskModule | undefined> {
  if (sourceFile === undefined) return undefined;
  return await session.open(sourceFile, { metadataOnly: true, format: sourceFormat, signal });
}

/** The ranges of a bitmap, to be merged into one of a disk of this size. */
function dirtyIn(source: DiskModule, name: string, size: number): AsyncIterable<BitmapExtent> {
  const { bitmapExtents } = requireAbility(source, 'bitmapExtents', 'bitmaps');
  const extents = bitmapExtents(name);
  if (source.size() === size) return extents;
  return refuse(
    `the bitmap ${quote(name)} is about a disk of ${source.size()} bytes, the image has ${size}: they cannot be merged`,
  );
}

function refuse(reason: string): never {
  throw new DiskError('ERR_ARGUMENT', reason);
}
