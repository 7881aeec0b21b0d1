import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { can, DiskError, type DiskModule, type Json, type LayerInfo } from '@diskstack/core';
import { chainOf, locationOf } from '../session/session.ts';
import { type SnapshotReport, snapshotReport } from './snapshot-report.ts';

/** What `info` reports of one layer. The first keys are those of `qemu-img info --output json`; our own keys follow. */
export interface LayerReport {
  readonly filename: string;
  readonly format: string;
  readonly 'virtual-size': number;
  readonly 'cluster-size'?: number;
  readonly 'actual-size'?: number;
  readonly 'backing-filename'?: string;
  readonly 'full-backing-filename'?: string;
  readonly 'backing-filename-format'?: string;
  readonly encrypted?: true;
  readonly snapshots?: readonly SnapshotReport[];
  readonly 'dirty-flag': boolean;
  readonly 'format-specific'?: { readonly type: string; readonly data: { readonly [key: string]: Json } };

  /** The column of layers, top first. */
  readonly 'disk-type': string;
  /** The probed format of the backing disk, if the image records none. */
  readonly 'probed-backing-format'?: string;
  /** The disk signature of a master boot record, in hexadecimal. */
  readonly 'disk-signature'?: string;
  readonly warnings?: readonly string[];
}

/** The report of one image. */
export async function reportLayer(disk: DiskModule, filename: string): Promise<LayerReport> {
  const info: LayerInfo = can(disk, 'info') ? disk.info() : { format: 'raw', virtualSize: disk.size() };
  const actualSize = bytesOnDisk(locationOf(disk) ?? filename);
  const signature = await diskSignature(disk);
  return {
    filename,
    format: info.format,
    'virtual-size': info.virtualSize,
    ...(info.clusterSize !== undefined && { 'cluster-size': info.clusterSize }),
    ...(actualSize !== undefined && { 'actual-size': actualSize }),
    ...(info.backing && backingKeys(filename, info.backing)),
    ...(info.encrypted && { encrypted: true }),
    ...(info.snapshots?.length && { snapshots: info.snapshots.map(snapshotReport) }),
    'dirty-flag': info.dirty ?? false,
    ...(info.specific && { 'format-specific': info.specific }),
    'disk-type': disk.diskType,
    ...(signature !== undefined && { 'disk-signature': signature }),
    ...(info.warnings?.length && { warnings: info.warnings }),
  };
}

/** A report of each image of the chain, the top first. */
export async function reportChain(top: DiskModule, filename: string): Promise<readonly LayerReport[]> {
  const reports: LayerReport[] = [];
  let expected: string | undefined = filename;
  for (const layer of chainOf(top)) {
    const report = await reportLayer(layer, nameOf(locationOf(layer), expected));
    expected = report['full-backing-filename'];
    reports.push(report);
  }
  return reports.map((report, depth) => {
    const below = reports[depth + 1];
    const isProbed = below !== undefined && report['backing-filename-format'] === undefined;
    return isProbed ? { ...report, 'probed-backing-format': below.format } : report;
  });
}

/** The name that the image above has for the layer, unless the layer was found elsewhere (as a logical volume). */
function nameOf(location: string | undefined, expected: string | undefined): string {
  if (location === undefined) return expected ?? '';
  return expected !== undefined && resolve(expected) === resolve(location) ? expected : location;
}

function backingKeys(
  filename: string,
  { name, format }: NonNullable<LayerInfo['backing']>,
): Pick<LayerReport, 'backing-filename' | 'full-backing-filename' | 'backing-filename-format'> {
  return {
    'backing-filename': name,
    'full-backing-filename': fullName(filename, name),
    ...(format !== undefined && { 'backing-filename-format': format }),
  };
}

/** Joins names as QEMU does: absolute names and names with a protocol stay; any other name follows the last slash. */
function fullName(filename: string, name: string): string {
  const stands = name.startsWith('/') || /^[^/]*:/.test(name);
  return stands ? name : filename.slice(0, filename.lastIndexOf('/') + 1) + name;
}

/** Bytes that the file takes; `undefined` if there is no such file. */
function bytesOnDisk(path: string): number | undefined {
  try {
    return statSync(path).blocks * 512;
  } catch {
    return undefined; // for example the path of a volume
  }
}

const SIGNATURE_AT = 0x1b8;
const MBR_BYTES = 512;

async function diskSignature(disk: DiskModule): Promise<string | undefined> {
  let sector: Uint8Array;
  try {
    sector = await disk.read(0, MBR_BYTES);
  } catch (error) {
    if (error instanceof DiskError) return undefined; // the bytes are damaged, or in a disk that is not open
    throw error;
  }
  if (sector.length < MBR_BYTES || sector[510] !== 0x55 || sector[511] !== 0xaa) return undefined;
  const signature = new DataView(sector.buffer, sector.byteOffset).getUint32(SIGNATURE_AT, true);
  return `0x${signature.toString(16).padStart(8, '0')}`;
}
