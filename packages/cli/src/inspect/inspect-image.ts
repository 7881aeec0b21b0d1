import { can, type DiskError, type DiskModule, type Disks } from '@diskstack/core';
import { recognise } from '@diskstack/core/format';
import { CLAIM_CHECKS, type ClaimLimits, claimChecks } from './claims.ts';
import { CONTENT_CHECKS, contentChecks } from './contents.ts';
import { identify } from './identity.ts';
import { inspectMetadata } from './metadata.ts';
import { faultOfImage, NOT_OPEN, OPENING_CHECKS, openingChecks } from './opening.ts';
import { type InspectCheck, type InspectReport, unknown } from './verdict.ts';

export interface InspectOptions extends ClaimLimits {
  /** The declared format of the file. */
  readonly format?: string | undefined;
}

/**
 * Makes a safety report of an image from outside. Reads only the file, and opens nothing that it names. An image that
 * cannot be opened gets a report, too.
 *
 * @param file the bytes of the image, open; closed together with the image
 */
export async function inspectImage(
  disks: Disks,
  file: DiskModule,
  filename: string,
  options: InspectOptions,
): Promise<InspectReport> {
  const matches = disks.registry.matches(await disks.registry.windowOf(file));
  const { format, checks: identity } = identify(matches, await recognise(file), options.format);
  const checks = [
    ...identity,
    ...(format === undefined
      ? unmade('two formats claim the file', [...OPENING_CHECKS, ...INNER_CHECKS])
      : await inspectAs(format, disks, file, options)),
  ];
  const verdict = checks.every((check) => check.verdict === 'pass') ? 'pass' : 'violated';
  return { filename, format: format ?? null, verdict, checks };
}

const INNER_CHECKS = [...CONTENT_CHECKS, 'metadata', ...CLAIM_CHECKS];

async function inspectAs(
  format: string,
  disks: Disks,
  file: DiskModule,
  options: InspectOptions,
): Promise<readonly InspectCheck[]> {
  let disk: DiskModule;
  try {
    disk = await disks.push(file, { format, metadataOnly: true });
  } catch (error) {
    const fault: DiskError = faultOfImage(error);
    return [...openingChecks(fault), ...unmade(NOT_OPEN, INNER_CHECKS)];
  }
  try {
    return [...openingChecks(undefined), ...(await inspectOpened(disk, file.size(), disks, options))];
  } finally {
    await disk.close();
  }
}

async function inspectOpened(
  disk: DiskModule,
  fileSize: number,
  disks: Disks,
  options: InspectOptions,
): Promise<readonly InspectCheck[]> {
  const info = can(disk, 'info') ? disk.info() : { format: 'raw', virtualSize: disk.size() };
  const { check, compressedBytes } = await inspectMetadata(disk, info.clusterSize);
  return [
    ...contentChecks(disk, info, disks.registry.named(info.format)),
    check,
    ...claimChecks(info, fileSize, compressedBytes, options),
  ];
}

function unmade(why: string, checks: readonly string[]): readonly InspectCheck[] {
  return checks.map((check) => unknown(check, why));
}
