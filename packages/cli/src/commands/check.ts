import {
  type Able,
  type CheckReport,
  can,
  DiskError,
  type DiskModule,
  type RepairReport,
} from '@diskstack/core';
import { Option } from 'commander';
import { defineCommand } from '../command-line/define-command.ts';
import { forceShareOption, formatOption, type OpenFlags } from '../options/open-options.ts';
import { withQemuCompat } from '../options/qemu-compat.ts';
import { type OutputFlags, outputOption } from '../options/report-options.ts';
import { checkJson, checkText, repairText } from '../report/check-report.ts';
import { formatOf, requireAbility } from '../session/abilities.ts';
import { type Session, withSession } from '../session/session.ts';
import { Failure } from '../terminal/failure.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { print, printJson } from '../terminal/stdout.ts';

interface CheckFlags extends OpenFlags, OutputFlags {
  readonly repair?: 'leaks' | 'all';
  readonly dryRun?: boolean;
  readonly quiet?: boolean;
}

export const command = defineCommand<CheckFlags>({
  name: 'check',
  operands: '<image>',
  summary: 'check the metadata of an image for consistency',
  options: [
    new Option(
      '-r, --repair <what>',
      'free leaked clusters, or repair everything that can be repaired',
    ).choices(['leaks', 'all']),
    new Option('--dry-run', 'print what -r would do, and write nothing'),
    new Option('-q, --quiet', 'print nothing; the exit status is the answer'),
    forceShareOption(),
    ...withQemuCompat('-T, --source-cache <mode>'),
    formatOption(),
    outputOption(),
  ],
  notes:
    'Exit status: 0 clean, 2 corruption, 3 leaks only, 1 for any error. -r all repairs refcounts, COPIED bits, and damaged entries of L1 and L2 tables. It drops entries that name nothing, and reports each.',
  qemuNames: { '--cache': '-T' },
  run: check,
});

/** qemu-img's exit status for a format that has no check. */
const NOT_CHECKED = 63;

/** `diskstack check IMAGE`, `diskstack check -r leaks|all IMAGE` */
async function check(flags: CheckFlags, image: string): Promise<void> {
  const { repair: fix, dryRun = false } = flags;
  if (dryRun && fix === undefined) throw new DiskError('ERR_ARGUMENT', '--dry-run needs -r leaks or -r all');
  await interruptible((signal) =>
    withSession(flags, async (session) => {
      const repaired = fix === undefined ? undefined : await repair(session, image, fix, dryRun, signal);
      const disk = await session.open(image, { metadataOnly: true, signal });
      const report = await requireCheck(disk).check({ signal });
      await printReport(report, repaired, image, formatOf(disk), flags);
      if (report.errors > 0) {
        const reason = `${report.errors} structures could not be checked`;
        throw new DiskError('ERR_CORRUPT', reason, { layer: image });
      }
      if (report.corruptions > 0) process.exitCode = 2;
      else if (report.leaks > 0) process.exitCode = 3;
    }),
  );
}

/** Fails with qemu-img's exit status if the format has no check. */
function requireCheck(disk: DiskModule): Able<'check'> {
  if (can(disk, 'check')) return disk;
  const error = new DiskError('ERR_UNSUPPORTED', 'This image format does not support checks');
  throw new Failure(error, { status: NOT_CHECKED });
}

async function repair(
  session: Session,
  image: string,
  fix: 'leaks' | 'all',
  dryRun: boolean,
  signal: AbortSignal,
): Promise<RepairReport> {
  const disk = await session.open(image, { metadataOnly: true, mountMode: 'rw', signal });
  requireCheck(disk);
  const repaired = await requireAbility(disk, 'repair', 'metadata that could be repaired').repair({
    fix,
    dryRun,
    signal,
  });
  await session.close(disk);
  return repaired;
}

async function printReport(
  report: CheckReport,
  repaired: RepairReport | undefined,
  image: string,
  format: string,
  { output, dryRun = false, quiet = false }: CheckFlags,
): Promise<void> {
  if (quiet) return;
  if (output === 'json') return printJson(checkJson(report, image, format, repaired, dryRun));
  if (repaired !== undefined) await print(repairText(repaired, dryRun));
  await print(checkText(report));
}
