import {
  basename,
  can,
  commit as commitDisk,
  DiskError,
  type DiskModule,
  type LayerInfo,
  quote,
} from '@diskstack/core';
import { fileIdentity, lockFile } from '@diskstack/core/node';
import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { likeImage } from '../image-options/creation-options.ts';
import { isPartOf, schemeOf } from '../image-spec/image-spec.ts';
import { beginImage } from '../new-image/new-image.ts';
import { formatOption, type OpenFlags } from '../options/open-options.ts';
import { withQemuCompat } from '../options/qemu-compat.ts';
import { progressOption } from '../options/report-options.ts';
import { formatOf } from '../session/abilities.ts';
import { host } from '../session/host.ts';
import { backingLocation, chainOf, locationOf, type Session, withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { progressLine } from '../terminal/progress.ts';
import { say } from '../terminal/stderr.ts';
import { print } from '../terminal/stdout.ts';
import { parseRate } from '../values/byte-size.ts';

interface CommitFlags extends OpenFlags {
  readonly backing?: string;
  readonly keep?: boolean;
  readonly progress?: boolean;
  readonly quiet?: boolean;
  readonly rateLimit?: string;
}

export const command = defineCommand<CommitFlags>({
  name: 'commit',
  operands: '<image>',
  summary: 'write the content of an overlay into its backing image',
  options: [
    new Option(
      '-b, --backing <file>',
      'commit into this image of the chain, named as the overlay above it names it; the overlay is then not emptied',
    ),
    new Option('-d, --keep', 'do not empty the overlay'),
    new Option('-r, --rate-limit <rate>', 'write at most this many bytes per second'),
    progressOption(),
    new Option('-q, --quiet', 'print nothing'),
    ...withQemuCompat('-t, --cache <mode>'),
    formatOption(),
  ],
  notes:
    'If the command is interrupted, the overlay reads as before. Other overlays on the backing image do not.',
  qemuNames: { '--base': '-b', '--drop': '-d' },
  run: commit,
});

/** `diskstack commit IMAGE` */
async function commit(flags: CommitFlags, image: string): Promise<void> {
  const bytesPerSecond = parseRate(flags.rateLimit);
  await interruptible(async (signal) => {
    // Emptying the overlay would lose what another process writes into it meanwhile.
    const unlock = await lockFile(flags.specs?.get(image)?.storage.path ?? image, await host());
    await withSession(flags, async (session) => {
      const overlay = await session.open(image, { signal });
      const chain = chainOf(overlay);
      const depth = depthOf(session, chain, image, flags.backing);
      const below = chain[depth];
      const location = below && locationOf(below);
      if (below === undefined || location === undefined)
        throw new DiskError(
          'ERR_UNSUPPORTED',
          'the base has no path by which it could be opened for writing',
        );
      const info = can(overlay, 'info') ? overlay.info() : undefined;
      const losses = info && lossesOf(overlay, info, isPart(image, flags));
      const base = await session.open(location, {
        format: formatOf(below),
        snapshot: undefined,
        mountMode: 'rw',
        signal,
      });
      const progress = progressLine(flags.progress ?? false);
      try {
        await commitDisk(overlay, base, {
          depth,
          bytesPerSecond,
          signal,
          onProgress: progress.onProgress,
        });
        await session.close(base);
      } finally {
        progress.clear();
      }
      await session.close(overlay);
      if (!flags.keep && flags.backing === undefined && info !== undefined)
        await empty(session, image, info, losses ?? [], signal);
      if (!flags.quiet) await print('Image committed.\n');
    }).finally(unlock);
  });
}

/** The depth of the disk to commit into. Default: the first below the image. */
function depthOf(
  session: Session,
  chain: readonly DiskModule[],
  image: string,
  backing: string | undefined,
): number {
  if (chain.length < 2) throw new DiskError('ERR_ARGUMENT', `the image ${quote(image)} has no backing file`);
  if (backing === undefined) return 1;
  for (let depth = 1; depth < chain.length; depth++) {
    const above = locationOf(chain[depth - 1] as DiskModule) ?? image;
    const location = locationOf(chain[depth] as DiskModule);
    if (location === undefined) continue;
    // Relative to the folder of the image above, as that image would name it.
    const named = backingLocation(session, backing, above);
    const wanted = fileIdentity(named);
    if (location === named || (wanted !== undefined && fileIdentity(location) === wanted)) return depth;
  }
  throw new DiskError('ERR_NOT_FOUND', `the backing chain has no image ${quote(backing)}`);
}

/** Whether the image is a part of a file. Then a new image cannot take its place. */
function isPart(image: string, { specs }: CommitFlags): boolean {
  const storage = specs?.get(image)?.storage;
  return storage === undefined ? fileIdentity(image) === undefined : isPartOf(storage);
}

/** What a new, empty overlay would lose. */
function lossesOf(overlay: DiskModule, info: LayerInfo, isPartOfFile: boolean): readonly string[] {
  const { encrypted = false, snapshots = [], dataFile } = info;
  const hasBitmaps = can(overlay, 'bitmaps') && overlay.bitmaps().length > 0;
  return [
    isPartOfFile && 'is a part of a file',
    encrypted && 'is encrypted',
    snapshots.length > 0 && 'has snapshots',
    hasBitmaps && 'has bitmaps',
    dataFile !== undefined && 'has a data file',
  ].filter((reason) => reason !== false);
}

/**
 * Empties the overlay: a new, empty one takes its name. Where that would lose something, the overlay keeps its content, which
 * costs only space: the base now has the same.
 */
async function empty(
  { disks }: Session,
  image: string,
  info: LayerInfo,
  losses: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { backing, virtualSize: size } = info;
  const options = likeImage(disks, info);
  if (options === undefined || backing === undefined) return;
  if (losses.length > 0) {
    say(`warning: ${quote(basename(image))} keeps its content, because it ${losses.join(', ')}`);
    return;
  }
  const allowed = schemeOf(backing.name); // the overlay has this name already, so it may be stored again
  const flags = allowed === undefined ? {} : { allowScheme: [allowed] };
  const made = await beginImage(disks, { path: image, size, options, backing, inputs: [], signal }, flags);
  try {
    await made.commit({ sync: true });
  } catch (error) {
    await made.discard();
    throw error;
  }
}
