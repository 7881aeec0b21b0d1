import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { noise, type Random, text } from './content.ts';
import { qcow1Image } from './image-builder.ts';
import { encryptedSource, plainSource, qemuImg, qemuIo, secretObject } from './qemu.ts';

export const KiB = 1024;
export const MiB = 1024 * KiB;

/** A kind of image that qemu makes: the arguments before and after `-o`. */
export interface ImageKind {
  /** For test names. */
  readonly label: string;
  readonly format: 'qcow' | 'qcow2';
  readonly clusterSize: number;
  /** For `qemu-img create -o`. Empty for version 1. */
  readonly options: string;
}

export function qcow1Kind(clusterSize: number): ImageKind {
  return { label: `v1 ${sizeName(clusterSize)}`, format: 'qcow', clusterSize, options: '' };
}

export function qcow2Kind(compat: '0.10' | '1.1', clusterSize: number, more = ''): ImageKind {
  const options = [`compat=${compat}`, `cluster_size=${clusterSize}`, ...(more === '' ? [] : [more])].join(
    ',',
  );
  const label = [`v${compat === '0.10' ? 2 : 3}`, sizeName(clusterSize), more].join(' ').trim();
  return { label, format: 'qcow2', clusterSize, options };
}

export function sizeName(bytes: number): string {
  if (bytes > 0 && bytes % MiB === 0) return `${bytes / MiB} MiB`;
  return bytes > 0 && bytes % KiB === 0 ? `${bytes / KiB} KiB` : `${bytes} B`;
}

/** The disk below an overlay. */
interface Backing {
  /** In the same folder. */
  readonly name: string;
  readonly format: string;
  /** False: the overlay does not record the format of its base. */
  readonly recorded?: boolean;
}

export interface Recipe {
  readonly name: string;
  readonly kind: ImageKind;
  readonly size: number;
  readonly backing?: Backing | undefined;
  /** The passphrase of an encrypted image; the options of its kind say how it is encrypted. */
  readonly secret?: string | undefined;
  /** qemu-io commands. `NOISE` and `TEXT` are replaced by files with such content. */
  readonly commands?: readonly string[];
}

/** Makes an image in a folder and returns its path. */
export async function makeImage(folder: string, recipe: Recipe): Promise<string> {
  const { name, kind, size, backing, secret, commands = [] } = recipe;
  const path = join(folder, name);
  if (kind.format === 'qcow' && secret === undefined) {
    // qemu-img makes version 1 with clusters of 4 KiB, or of 512 bytes over a base: the others are made by hand.
    const clusterBits = Math.log2(kind.clusterSize);
    const backed = backing === undefined ? {} : { backing: backing.name };
    await writeFile(
      path,
      qcow1Image({ clusterBits, l2Bits: 21 - clusterBits > 9 ? 12 : 9, size, ...backed }),
    );
  } else {
    const base = backing === undefined ? [] : ['-b', backing.name, '-F', backing.format];
    const [key, encrypted] =
      secret === undefined ? [[], ''] : [secretObject(secret), ',encrypt.key-secret=key'];
    const options = kind.options + encrypted;
    await qemuImg('create', '-q', '-f', kind.format, ...key, '-o', options, ...base, path, String(size));
    if (backing?.recorded === false) await forgetBackingFormat(path);
  }
  await writeImage(path, recipe, commands);
  return path;
}

/** Runs further commands on an image of `makeImage`. `source`: how qemu opens it. Default: its path. */
export async function writeImage(
  path: string,
  image: Pick<Recipe, 'kind' | 'secret'> & { readonly source?: readonly string[] },
  commands: readonly string[],
): Promise<void> {
  const { kind, secret, source } = image;
  const own =
    secret === undefined ? plainSource(path, kind.format) : encryptedSource(path, kind.format, secret);
  await qemuIo(source ?? own, await withContentFiles(dirname(path), commands));
}

/** Gives the header extension of the backing format an unknown type. */
async function forgetBackingFormat(path: string): Promise<void> {
  const image = await readFile(path);
  const at = image.indexOf(Uint8Array.of(0xe2, 0x79, 0x2a, 0xca));
  if (at < 0) throw new Error(`no backing format is recorded in ${path}`);
  image.writeUInt32BE(0x0badc0de, at);
  await writeFile(path, image);
}

/** Files of content for `write -s`. */
async function withContentFiles(folder: string, commands: readonly string[]): Promise<readonly string[]> {
  const [noisePath, textPath] = [join(folder, 'noise'), join(folder, 'text')];
  const all = commands.join();
  if (all.includes('NOISE')) await writeFile(noisePath, noise(50_000, 1));
  if (all.includes('TEXT')) await writeFile(textPath, text(50_000, 2));
  return commands.map((command) => command.replace('NOISE', noisePath).replace('TEXT', textPath));
}

/** A change of a run of clusters. */
export type Deed = 'plain' | 'part' | 'compressed' | 'zero' | 'unmap' | 'discard' | 'overwrite';

/** Commands that change about half of the disk: one kind of change to each of about 24 runs of clusters. */
export function deeds(next: Random, kind: ImageKind, size: number, what: readonly Deed[]): readonly string[] {
  const { clusterSize } = kind;
  const clusters = Math.ceil(size / clusterSize);
  const run = Math.max(1, Math.floor(clusters / 24));
  const commands: string[] = [];
  for (let first = 0; first < clusters; first += run) {
    if (next(5) < 2) continue;
    const from = first * clusterSize;
    const count = 1 + next(Math.min(run, 6));
    const to = Math.min(size, from + count * clusterSize);
    const deed = what[next(what.length)] ?? 'plain';
    commands.push(...commandsFor(deed, next, kind, from, to));
  }
  return commands;
}

function commandsFor(deed: Deed, next: Random, kind: ImageKind, from: number, to: number): readonly string[] {
  const length = to - from;
  const content = [`-P ${1 + next(255)}`, '-s NOISE', '-s TEXT'][next(3)];
  const write = `write -q ${content} ${from} ${length}`;
  // A part that begins and ends anywhere: it may also reach over the end of the run's first cluster.
  const start = from + next(Math.max(1, length - 1));
  const part = `${start} ${1 + next(to - start)}`;
  switch (deed) {
    case 'plain':
      return [write];
    case 'part':
      return [`write -q -s TEXT ${part}`];
    case 'compressed':
      return compressedWrites(next, kind, from, to);
    case 'zero':
      return next(2) === 0 ? [`write -q -z ${from} ${length}`] : [write, `write -q -z ${part}`];
    case 'unmap':
      return next(2) === 0
        ? [`write -q -z -u ${from} ${length}`]
        : [write, `write -q -z -u ${from} ${length}`];
    case 'discard':
      return [write, `discard -q ${from} ${length}`];
    case 'overwrite':
      return [...compressedWrites(next, kind, from, to), `write -q -P 77 ${part}`];
  }
}

/** Cluster by cluster: version 1 takes no more at a time, and so every stream is one that qemu could write. */
function compressedWrites(next: Random, kind: ImageKind, from: number, to: number): readonly string[] {
  const commands: string[] = [];
  for (let at = from; at < to; at += kind.clusterSize) {
    const content = next(3) === 0 ? `-P ${next(256)}` : '-s TEXT';
    commands.push(`write -q -c ${content} ${at} ${Math.min(kind.clusterSize, to - at)}`);
  }
  return commands;
}
