import { can, type DiskModule, type Disks, type Logger, type OpenOptions } from '@diskstack/core';
import { compose } from './composition-root.ts';
import { type OpenFlags, parseVolumes } from './open-options.ts';
import { keysFrom } from './secret-keys.ts';
import { say } from './terminal/stderr.ts';

/**
 * A command reads each cluster once or twice. Deflate makes at most 1032 bytes of one, so what goes far beyond is a stream
 * that many clusters share: a bomb.
 */
const UNTRUSTED_LIMITS = { maxInflationRatio: 2100 };

/** The part of `OpenOptions` that a command decides itself. */
type Opening = Pick<OpenOptions, 'metadataOnly' | 'signal' | 'format' | 'snapshot'>;

/** The disks of one command: whatever is opened here is closed when the work ends, however it ends. */
export interface Session {
  readonly disks: Disks;
  open(image: string, opening?: Opening): Promise<DiskModule>;
}

export async function withSession<T>(flags: OpenFlags, work: (session: Session) => Promise<T>): Promise<T> {
  const logger = flags.debug ? debugLog : undefined;
  const volumes = parseVolumes(flags.volume);
  const program = compose({
    volumes,
    logger,
    keys: await keysFrom(flags.secret),
    limits: flags.untrusted ? UNTRUSTED_LIMITS : undefined,
  });
  const opened: DiskModule[] = [];
  const session: Session = {
    disks: program.disks,
    async open(image, opening) {
      const disk = await program.disks.open(image, {
        format: flags.format,
        snapshot: flags.snapshot,
        allowBacking: flags.allowBacking,
        gate: flags.untrusted ? 'deny' : undefined,
        ...opening,
      });
      opened.push(disk);
      return disk;
    },
  };
  try {
    return await work(session);
  } finally {
    await Promise.allSettled(opened.map((disk) => disk.close()));
    await program.close();
  }
}

/** The disks that the content comes from, the top first. */
export function chainOf(disk: DiskModule): readonly DiskModule[] {
  return can(disk, 'chain') ? disk.chain() : [disk];
}

/** The path of a layer, where it has one. */
export function locationOf(disk: DiskModule): string | undefined {
  return can(disk, 'location') ? disk.location : undefined;
}

const debugLog: Logger = { warn: say, debug: say };
