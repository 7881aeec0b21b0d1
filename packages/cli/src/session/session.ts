import {
  borrow,
  can,
  type DiskModule,
  type Disks,
  type Logger,
  type MachineDisk,
  type Match,
  type OpenOptions,
} from '@diskstack/core';
import { openSpec, storageOf } from '../image-spec/open-spec.ts';
import { type OpenFlags, parseVolumes } from '../options/open-options.ts';
import { parseLimits } from '../options/source-options.ts';
import { Secrets } from '../secrets/secrets.ts';
import { say } from '../terminal/stderr.ts';
import type { Program } from './composition-root.ts';
import { pluginsOf } from './session-plugins.ts';

/**
 * A command reads each cluster once or twice, and deflate makes at most 1032 bytes of one. A higher ratio means a bomb: many
 * clusters that share one compressed stream.
 */
const UNTRUSTED_LIMITS = { maxInflationRatio: 2100 };

/** The options of opening that a command sets itself. */
type Opening = Pick<
  OpenOptions,
  'metadataOnly' | 'withoutKeys' | 'signal' | 'format' | 'snapshot' | 'mountMode' | 'allowBacking'
>;

/** The disks of one command. All disks that it opens are closed when the work ends, also by an error. */
export interface Session {
  readonly disks: Disks;
  /** The same, with partitions and logical volumes; the code for them is loaded by the first call. */
  layered(): Promise<Disks>;
  /** Opens an image, or a layer inside of one: `IMAGE#LAYER[/LAYER…]`. */
  open(image: string, opening?: Opening): Promise<DiskModule>;
  /** Opens an image on a disk that the caller still owns. The image is treated as if its path were `location`. */
  openOn(disk: DiskModule, location: string, opening?: Opening): Promise<DiskModule>;
  /** Every format that claims an image, the surest first. */
  probe(image: string): Promise<readonly Match[]>;
  /** An image, as a disk of a machine (`Disks.tree`). */
  machineDisk(image: string): string | MachineDisk;
  /** Closes a disk early, and flushes it. A failure is an error of the command. */
  close(disk: DiskModule): Promise<void>;
}

/** Runs the work of one command. `isReport`: the output has the warnings, so stderr does not repeat them. */
export async function withSession<T>(
  flags: OpenFlags & { readonly isReport?: boolean },
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const logger = flags.debug || !flags.isReport ? warningsOnce(flags.debug ?? false) : undefined;
  const volumes = parseVolumes(flags.volume);
  const secrets = flags.secrets ?? new Secrets(flags.secret, flags.object);
  const plugins = await pluginsOf(flags);
  const wiring = {
    volumes,
    logger,
    keys: secrets,
    limits: {
      inflationWindow: Number.POSITIVE_INFINITY, // a command is short: what it decompresses counts as one
      ...(flags.untrusted ? UNTRUSTED_LIMITS : {}),
      ...parseLimits(flags.limit, flags.maxChainDepth),
    },
    forceShare: flags.forceShare,
    plugins,
  };
  await secrets.load(); // before any image is opened
  const { compose } = await import('./composition-root.ts'); // help of a command needs none of it
  const program = compose(wiring);
  let layeredProgram: Program | undefined;
  const layered = async (): Promise<Disks> => {
    const { layouts } = await import('./layouts.ts');
    layeredProgram ??= compose({ ...wiring, layouts: [...layouts, ...(plugins?.layouts ?? [])] });
    return layeredProgram.disks;
  };
  const opened: DiskModule[] = [];
  const asked = {
    format: flags.format,
    snapshot: flags.snapshot,
    allowBacking: flags.allowBacking,
    allowSchemes: flags.allowScheme,
    gate: flags.untrusted ? 'deny' : undefined,
  } as const;
  const keep = (disk: DiskModule): DiskModule => {
    opened.push(disk);
    return disk;
  };
  const session: Session = {
    disks: program.disks,
    layered,
    async open(image, opening) {
      const options = { ...asked, ...opening };
      const spec = flags.specs?.get(image);
      if (spec !== undefined) return keep(await openSpec({ ...program, secrets }, spec, image, options));
      if (!image.includes('#')) return keep(await program.disks.open(image, options));
      return keep(await (await layered()).openLayer(image, { ...options, pvs: flags.pv }));
    },
    openOn: async (disk, location, opening) =>
      keep(await program.disks.push(borrow(disk), { ...asked, location, ...opening })),
    async probe(image) {
      const spec = flags.specs?.get(image);
      return program.disks.probe(spec === undefined ? image : storageOf(program.files, spec.storage));
    },
    machineDisk(image) {
      const spec = flags.specs?.get(image);
      if (spec === undefined) return image;
      return { source: storageOf(program.files, spec.storage), name: image, format: spec.format };
    },
    close: (disk) => disk.close(),
  };
  try {
    return await work(session);
  } finally {
    await Promise.allSettled(opened.map((disk) => disk.close()));
    await program.close();
    await layeredProgram?.close();
  }
}

/** The disks that the content comes from, the top first. The chain of a slice is the chain of its disk. */
export function chainOf(disk: DiskModule): readonly DiskModule[] {
  if (can(disk, 'chain')) return disk.chain();
  return can(disk, 'downstream') ? chainOf(disk.downstream) : [disk];
}

/** The location of a backing file that the command line names, as the image would name it. */
export function backingLocation({ disks }: Session, name: string, image: string): string {
  return disks.resolve(name, image) ?? name;
}

/** The path of a layer, if it has one. */
export function locationOf(disk: DiskModule): string | undefined {
  return can(disk, 'location') ? disk.location : undefined;
}

/** Reports each warning once: a volume group may be looked for several times. */
function warningsOnce(isDebug: boolean): Logger {
  const reported = new Set<string>();
  const warn = (message: string): void => {
    if (reported.has(message)) return;
    reported.add(message);
    say(`warning: ${message}`);
  };
  return isDebug ? { warn, debug: say } : { warn };
}
