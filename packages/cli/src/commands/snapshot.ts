import { can, DiskError, type DiskModule } from '@diskstack/core';
import type { OpenFlags, OutputFlags } from '../open-options.ts';
import { type SnapshotReport, snapshotReport, snapshotTable } from '../report/snapshot-report.ts';
import { type Session, withSession } from '../session.ts';
import { print, printJson } from '../terminal/stdout.ts';

/** `diskstack snapshot -l IMAGE` */
export async function snapshot(image: string, flags: OpenFlags & OutputFlags): Promise<void> {
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
  // The disk opens without them; what is asked for here is not there.
  throw new DiskError('ERR_CORRUPT', info?.warnings?.join('; ') ?? 'the snapshots cannot be read', {
    format: format.name,
  });
}
