import { type AmendOptions, DiskError, type WorkIo } from '@diskstack/core';
import { countTables } from '../../check/check.ts';
import { has, type QcowImage } from '../../image/image.ts';
import { AUTOCLEAR, COMPATIBLE, INCOMPATIBLE } from '../../layout/feature-bits.ts';
import { EXTENSION_TYPE } from '../../layout/header-extension.ts';
import type { SnapshotTable } from '../../snapshots/snapshot-table.ts';
import type { WriteContext } from '../data/write-context.ts';
import type { HeaderFieldValues } from '../file/header-fields.ts';
import { flushMetadata } from '../metadata/flush-metadata.ts';
import { writeHead } from '../metadata/head.ts';
import { rebuildRefcounts } from '../repair/rebuild-refcounts.ts';
import { type Amendment, readAmendment } from './amendment.ts';
import { refuseDowngrade } from './downgrade-rules.ts';
import { expandZeroClusters } from './expand-zero-clusters.ts';
import { amendKeySlots } from './key-slots.ts';
import { writeVersion } from './version.ts';

/** Reads the options, and refuses an amendment that is impossible for the image. Changes nothing. */
export async function checkAmendment(
  context: WriteContext,
  snapshots: SnapshotTable,
  options: AmendOptions,
): Promise<Amendment> {
  const amendment = await readAmendment(options, context.access);
  const { image } = context.state;
  const { version = image.header.version, refcountBits } = amendment;
  checkFeatures(image, amendment, version);
  if (version < 3) await refuseDowngrade(context, snapshots, refcountBits);
  return amendment;
}

/**
 * Changes features of an image, after `checkAmendment`. Each step leaves a valid image: an upgrade to version 3 comes
 * first, a downgrade to version 2 last.
 */
export async function amendImage(context: WriteContext, amendment: Amendment, io: WorkIo): Promise<void> {
  const { state } = context;
  const { version = state.image.header.version, refcountBits } = amendment;
  await flushMetadata(state);
  if (amendment.keySlots !== undefined) await amendKeySlots(state, amendment.keySlots, io);
  if (version > state.image.header.version) await writeVersion(state, 3);
  if (version < state.image.header.version) {
    await expandZeroClusters(context, io);
    await flushMetadata(state);
  }
  await amendRefcountBits(context, refcountBits, io);
  await amendFields(context, amendment);
  await amendDataFile(context, amendment.dataFile);
  if (version < state.image.header.version) await writeVersion(state, 2);
  await state.file.barrier();
}

function checkFeatures(image: QcowImage, amendment: Amendment, version: number): void {
  const { lazyRefcounts, refcountBits, dataFile, dataFileRaw } = amendment;
  const refuse = (reason: string): never => {
    throw new DiskError('ERR_ARGUMENT', reason);
  };
  if (lazyRefcounts === true && version < 3) refuse('lazy refcounts need version 3 (compat=1.1)');
  const isRaw = (image.header.autoclearFeatures & AUTOCLEAR.rawExternalData) !== 0n;
  const hasDataFile = has(image, 'externalDataFile');
  if (dataFile !== undefined && !hasDataFile)
    refuse('the image has no data file; only a new image can get one');
  if (dataFile === '') refuse('the name of the data file is empty, but the data file holds the clusters');
  if (dataFileRaw === true && !isRaw) refuse('an existing image cannot get a raw data file');
  if (refcountBits === undefined) return;
  const order = Math.log2(refcountBits);
  if (!Number.isInteger(order) || order < 0 || order > 6)
    refuse(`refcounts of ${refcountBits} bits: the width is a power of two up to 64`);
  if (version < 3 && refcountBits !== 16)
    refuse(`refcounts of ${refcountBits} bits need version 3, version 2 has 16`);
}

/** Changes the width of the refcounts by rebuilding them. */
async function amendRefcountBits(
  { state, guard }: WriteContext,
  bits: number | undefined,
  { signal }: WorkIo,
): Promise<void> {
  const { image } = state;
  if (bits === undefined || bits === 2 ** image.header.refcountOrder) return;
  const { counting } = await countTables(image, { signal }, false);
  const { corruptions, errors, kept } = counting.findings;
  if (corruptions + errors > 0) {
    const [first] = kept;
    const reason = `the tables of the image are damaged (${first?.message ?? ''}); repair it before`;
    throw new DiskError('ERR_CORRUPT', reason, { offset: first?.offset });
  }
  await rebuildRefcounts(state, guard, counting, Math.log2(bits));
}

async function amendFields({ state }: WriteContext, amendment: Amendment): Promise<void> {
  const { header } = state.image;
  const { lazyRefcounts, dataFileRaw } = amendment;
  const fields: { -readonly [K in keyof HeaderFieldValues]: HeaderFieldValues[K] } = {};
  if (lazyRefcounts !== undefined) {
    const without = header.compatibleFeatures & ~COMPATIBLE.lazyRefcounts;
    fields.compatibleFeatures = lazyRefcounts ? without | COMPATIBLE.lazyRefcounts : without;
    fields.incompatibleFeatures = header.incompatibleFeatures & ~INCOMPATIBLE.dirty; // the refcounts are up to date now
  }
  if (dataFileRaw === false) fields.autoclearFeatures = header.autoclearFeatures & ~AUTOCLEAR.rawExternalData;
  if (header.version < 3 || Object.keys(fields).length === 0) return;
  await state.file.barrier();
  await state.writeHeader(fields);
}

async function amendDataFile({ state }: WriteContext, name: string | undefined): Promise<void> {
  if (name === undefined) return;
  const { extensions, backing } = state.image;
  const data = new TextEncoder().encode(name);
  const kept = extensions.filter(({ type }) => type !== EXTENSION_TYPE.externalDataFile);
  await writeHead(state, {
    extensions: [...kept, { type: EXTENSION_TYPE.externalDataFile, data }],
    name: backing?.name ?? new Uint8Array(),
  });
}
