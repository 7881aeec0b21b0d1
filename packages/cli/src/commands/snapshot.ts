import { can, DiskError, type DiskModule } from '@diskstack/core';
import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { forceShareOption, formatOption, type OpenFlags } from '../options/open-options.ts';
import { quietWithoutEffect } from '../options/qemu-compat.ts';
import { type OutputFlags, outputOption } from '../options/report-options.ts';
import { type SnapshotReport, snapshotReport, snapshotTable } from '../report/snapshot-report.ts';
import { requireAbility } from '../session/abilities.ts';
import { type Session, withSession } from '../session/session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { print, printJson } from '../terminal/stdout.ts';

interface SnapshotFlags extends OpenFlags, OutputFlags {
  readonly list?: boolean;
  readonly create?: string;
  readonly apply?: string;
  readonly delete?: string;
}

export const command = defineCommand<SnapshotFlags>({
  name: 'snapshot',
  operands: '<image>',
  summary: 'list, create, apply or delete internal snapshots of an image',
  options: [
    new Option('-l, --list', 'list the snapshots (the default)'),
    new Option('-c, --create <name>', 'create a snapshot of the active state'),
    new Option('-a, --apply <snapshot>', 'make a snapshot the active state, by its id or its name'),
    new Option('-d, --delete <snapshot>', 'delete a snapshot, by its id or its name'),
    quietWithoutEffect(),
    forceShareOption(),
    formatOption(),
    outputOption(),
  ],
  run: snapshot,
});

/** `diskstack snapshot -l|-c NAME|-a SNAPSHOT|-d SNAPSHOT IMAGE` */
async function snapshot(flags: SnapshotFlags, image: string): Promise<void> {
  const { list, create, apply, delete: remove } = flags;
  const changes = [create, apply, remove].filter((name) => name !== undefined);
  if (changes.length > 1 || (list === true && changes.length > 0))
    throw new DiskError('ERR_ARGUMENT', '-l, -c, -a and -d exclude each other: give one of them');
  if (changes.length === 0) return listAll(image, flags);
  await interruptible((signal) =>
    withSession(flags, async (session) => {
      const disk = await session.open(image, { metadataOnly: true, mountMode: 'rw', signal });
      const { snapshots } = requireAbility(disk, 'snapshots', 'internal snapshots');
      if (create !== undefined) await snapshots.create(create, { signal });
      if (apply !== undefined) await snapshots.apply(apply, { signal });
      if (remove !== undefined) await snapshots.delete(remove, { signal });
      await session.close(disk);
    }),
  );
}

async function listAll(image: string, flags: SnapshotFlags): Promise<void> {
  await withSession(flags, async (session) => {
    const snapshots = snapshotsOf(await session.open(image, { metadataOnly: true }), session);
    if (flags.output === 'json') return printJson(snapshots);
    if (snapshots.length > 0) await print(`${snapshotTable(snapshots).join('\n')}\n`);
  });
}

function snapshotsOf(disk: DiskModule, { disks }: Session): readonly SnapshotReport[] {
  const info = can(disk, 'info') ? disk.info() : undefined;
  if (info?.snapshots !== undefined) return info.snapshots.map(snapshotReport);
  const format = disks.registry.named(info?.format ?? 'raw');
  if (!format.accepts?.includes('snapshot')) return [];
  // An image with unreadable snapshots opens all the same. Here that is an error.
  throw new DiskError('ERR_CORRUPT', info?.warnings?.join('; ') ?? 'the snapshots cannot be read', {
    format: format.name,
  });
}
