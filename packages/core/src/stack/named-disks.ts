import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { limitError } from '../contracts/limit-error.ts';
import type { CandidateName, NamedDisk } from '../contracts/named-disk.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import { UnopenedDisk } from '../disks/unopened-disk.ts';
import { DiskError, type DiskErrorCode } from '../errors/disk-error.ts';
import { decodeStrict, decodeText, quote } from '../errors/text.ts';
import { initStorage } from '../io/storage-error.ts';
import type { BackingRequest, FoundDisk } from './backing-gate.ts';
import type { ChainPolicy, Place } from './chain-policy.ts';
import { schemeOf } from './location-names.ts';
import { pathOfUrl, translateName, translateReference } from './name-styles.ts';

/** The most names of one disk. A VHD has eight places for them. */
const MAX_CANDIDATES = 16;

/** What the disk is opened for. */
type Purpose = Pick<BackingRequest, 'use' | 'writable'>;

/** Makes the result from a storage: a disk with its format, or the storage itself. */
type Open = (disk: DiskModule, below: Place, format: string | undefined) => Promise<DiskModule>;

/**
 * Errors after which the next candidate is tried. Any other error ends the search: a storage that fails now may be the right one.
 */
const LEADS_NOWHERE: ReadonlySet<DiskErrorCode> = new Set([
  'ERR_BACKING_MISMATCH',
  'ERR_BACKING_LOOP',
  'ERR_BACKING_DENIED',
  'ERR_NOT_FOUND',
]);

/** Opens the disk that an image names, through the gate, and passes it to `open`. If that fails, nothing stays open. */
export async function openNamed(
  policy: ChainPolicy,
  place: Place,
  named: NamedDisk,
  purpose: Purpose,
  io: Io,
  open: Open,
): Promise<DiskModule> {
  if (policy.metadataOnly) return new UnopenedDisk(titleOf(named));
  const failures: DiskError[] = [];
  for (const candidate of candidatesOf(named)) {
    const answer = await openCandidate(policy, place, named, candidate, purpose, io, open);
    if (!(answer instanceof DiskError)) return answer;
    failures.push(withOffset(answer, candidate?.offset ?? named.offset));
  }
  throw noneOf(named, failures);
}

/** The names in their order. One request without a name if the disk has only a UUID. */
function candidatesOf({ candidates, uuid, offset }: NamedDisk): readonly (CandidateName | undefined)[] {
  if (candidates.length === 0 && uuid !== undefined) return [undefined];
  if (candidates.length > 0 && candidates.length <= MAX_CANDIDATES) return candidates;
  const reason = `the image has ${candidates.length} names for one disk, 1 to ${MAX_CANDIDATES} are possible`;
  throw new DiskError(candidates.length === 0 ? 'ERR_CORRUPT' : 'ERR_LIMIT', reason, { offset });
}

/** Opens the disk of one name. A returned error is about this name. A thrown error ends the search. */
async function openCandidate(
  policy: ChainPolicy,
  place: Place,
  named: NamedDisk,
  candidate: CandidateName | undefined,
  purpose: Purpose,
  io: Io,
  open: Open,
): Promise<DiskModule | DiskError> {
  let found: FoundDisk;
  let driver: StorageDriver | undefined;
  let lineage: readonly string[];
  try {
    ({ found, driver, lineage } = await resolveName(policy, place, named.uuid, candidate, purpose));
    await initFound(found, io);
  } catch (error) {
    if (error instanceof DiskError && LEADS_NOWHERE.has(error.code)) return error;
    throw withOffset(error, candidate?.offset ?? named.offset);
  }
  const { location, home, origin, format } = found;
  policy.services.logger.debug?.(`${quote(place.location ?? '')} names ${quote(location)}, which is opened`);
  const folder = home === undefined || driver !== place.driver ? undefined : place.folder;
  const below: Place = {
    mountMode: 'r',
    location,
    home,
    folder,
    driver,
    origin,
    lineage: async () => lineage,
  };
  let disk = found.disk;
  try {
    disk = await open(disk, below, format);
    const mismatch = await named.verify?.(disk, io);
    if (mismatch === undefined) return disk;
    await disk.close();
    return new DiskError(
      'ERR_BACKING_MISMATCH',
      `${quote(location)} is not the disk that the image refers to: ${mismatch}`,
    );
  } catch (error) {
    await disk.close();
    throw withOffset(error, candidate?.offset ?? named.offset);
  }
}

async function initFound({ disk, location }: FoundDisk, io: Io): Promise<void> {
  try {
    await initStorage(disk, location, io);
  } catch (error) {
    await disk.close();
    throw error;
  }
}

/** Adds the offset of the name to an error that has no location yet. */
function withOffset<T>(error: T, offset: number): T | DiskError {
  if (!(error instanceof DiskError) || error.offset !== undefined || error.layer !== undefined) return error;
  return new DiskError(error.code, error.reason, { offset, hint: error.hint, cause: error.cause });
}

/** A single failure unchanged. For several: one error with all reasons, and with the first of their codes in `LEADS_NOWHERE`. */
function noneOf(named: NamedDisk, failures: readonly DiskError[]): DiskError {
  const [first] = failures;
  if (failures.length === 1 && first !== undefined) return first;
  const codes = new Set(failures.map(({ code }) => code));
  const code = [...LEADS_NOWHERE].find((one) => codes.has(one)) ?? 'ERR_NOT_FOUND';
  const reasons = failures.map(
    ({ reason }, index) => `${index + 1}. ${nameOf(named.candidates[index])}: ${reason}`,
  );
  const disk = named.uuid === undefined ? 'one disk' : `the disk ${quote(named.uuid)}`;
  return new DiskError(
    code,
    `the image has ${failures.length} names for ${disk}, and none leads to it: ${reasons.join('; ')}`,
    { offset: named.offset, hint: failures.find(({ hint }) => hint !== undefined)?.hint },
  );
}

function nameOf(candidate: CandidateName | undefined): string {
  return candidate === undefined ? 'no name' : quote(decodeText(candidate.name));
}

function titleOf({ candidates: [first], uuid }: NamedDisk): string {
  return first === undefined ? (uuid ?? '') : decodeText(first.name);
}

interface Resolved {
  readonly found: FoundDisk;
  readonly driver: StorageDriver | undefined;
  /** From the top of the chain down to the found disk. */
  readonly lineage: readonly string[];
}

/** Resolves the name through the gate. Refuses loops and chains that are too long before anything more is opened. */
async function resolveName(
  policy: ChainPolicy,
  place: Place,
  uuid: string | undefined,
  candidate: CandidateName | undefined,
  { use, writable }: Purpose,
): Promise<Resolved> {
  const { limits } = policy.services;
  const lineage = await place.lineage();
  const depth = lineage.length + 1;
  if (depth > limits.maxChainDepth)
    throw limitError('maxChainDepth', limits, `the chain has ${depth} disks or more`);
  const { name, driver, home } = meaningOf(policy, place, candidate);
  const own = driver === place.driver ? await place.folder?.() : undefined;
  const roots = [...(own === undefined ? [] : [own]), ...((driver && policy.roots.get(driver)) ?? [])];
  const { location: image, origin } = place;
  const found = await policy.gate({ name, uuid, image, home, driver, origin, roots, use, writable });
  const what = name === undefined ? `the disk ${quote(uuid ?? '')}` : quote(name);
  if (found === undefined) {
    throw new DiskError(
      'ERR_BACKING_DENIED',
      `the image names ${what}, and nothing is registered to open it`,
    );
  }
  if (lineage.includes(found.identity)) {
    await found.disk.close();
    throw new DiskError('ERR_BACKING_LOOP', `the image names ${what}, which is part of its own chain`);
  }
  return { found, driver, lineage: [...lineage, found.identity] };
}

function strictName(bytes: Uint8Array): string {
  const name = decodeStrict(bytes);
  if (name === undefined) {
    throw new DiskError(
      'ERR_BACKING_DENIED',
      `the image names ${quote(decodeText(bytes))}, which is not UTF-8`,
    );
  }
  if (name === '' || name.includes('\0')) {
    throw new DiskError('ERR_BACKING_DENIED', `the image names ${quote(name)}, which cannot be a file name`);
  }
  return name;
}

/** A name by the rules of the driver that opens it. */
interface Meaning extends Pick<BackingRequest, 'driver' | 'home'> {
  readonly name: string | undefined;
}

/** Translates a name for the driver that opens it. A name with a scheme needs the caller's permission for that scheme. */
function meaningOf(policy: ChainPolicy, place: Place, candidate: CandidateName | undefined): Meaning {
  const { driver, home } = place;
  if (candidate === undefined) return { name: undefined, driver, home };
  const name = strictName(candidate.name);
  const { style } = candidate;
  const own = driver?.style ?? 'posix';
  if (style === 'posix' || style === 'win32') return { name: translateName(name, style, own), driver, home };
  const scheme = driver?.isPath?.(name) && style === undefined ? undefined : schemeOf(name);
  if (scheme === undefined)
    return { name: style === 'url' ? translateReference(name, own) : name, driver, home };
  const other = policy.services.drivers.find(({ schemes }) => schemes.includes(scheme));
  if (!policy.allowSchemes.includes(scheme)) {
    throw new DiskError(
      'ERR_BACKING_DENIED',
      `the image names ${quote(name)}; a name with a scheme is refused unless allowSchemes has the scheme`,
      { hint: { option: 'allowSchemes' } },
    );
  }
  if (other === undefined)
    throw new DiskError(
      'ERR_BACKING_DENIED',
      `the image names ${quote(name)}; no registered driver has this scheme`,
    );
  const target = other.style ?? 'posix';
  const meant = style === 'url' && target !== 'url' ? pathOfUrl(name, target) : name;
  return { name: meant, driver: other, home: other === driver ? home : undefined };
}
