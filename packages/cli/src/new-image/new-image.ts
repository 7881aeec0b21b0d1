import { promises as fs, statfsSync } from 'node:fs';
import { borrow, DiskError, type DiskModule, dirname, type Io, joinPath, quote } from '@diskstack/core';
import { createOutputFile, fileIdentity, type OutputFile } from '@diskstack/core/node';
import { createQcow, createQcow1, type NewBacking } from '@diskstack/qcow';
import { type CreationOptions, encryptionOf, parseFlag } from '../image-options/creation-options.ts';
import { refuseScheme } from '../image-spec/operands.ts';
import type { OpenFlags } from '../options/open-options.ts';
import { say } from '../terminal/stderr.ts';
import { refuseSameFile } from './same-file.ts';

/** An image that is being made. Its files take their names when it is complete. */
export interface NewImageFile {
  /** The file of the image. It is not flushed before `commit`: until then it has no name, so a crash loses it anyway. */
  readonly disk: DiskModule;
  /** Its temporary path. It is in the folder of the image, so that relative names in the image mean the same. */
  readonly location: string;
  /** Whether bytes that are not written read as zeroes: so in a new file, not on a device. */
  readonly isZero: boolean;
  /** Gives the files their names. With `sync`, everything is on stable storage first. */
  commit(options?: Io & { readonly sync?: boolean }): Promise<void>;
  discard(): Promise<void>;
}

export interface NewImage {
  readonly path: string;
  /** Guest bytes. */
  readonly size: number;
  readonly options: CreationOptions;
  readonly backing?: NewBacking | undefined;
  /** Files that the command reads or names. None of them may be overwritten. */
  readonly inputs: readonly string[];
  /**
   * The image is opened and filled next. A data file takes its name immediately, because the image opens it by that name.
   * It must not exist yet, so that nothing is lost if the rest fails.
   */
  readonly isFilled?: boolean;
  readonly signal: AbortSignal;
}

/** Makes an empty image under a temporary name. */
export async function beginImage(image: NewImage, flags: OpenFlags): Promise<NewImageFile> {
  const { path, size, options, inputs, signal } = image;
  refuseSameFile(path, inputs);
  if (typeof image.backing?.name === 'string')
    refuseScheme(image.backing.name, 'the backing file', flags.allowScheme);
  if (options.dataFile !== undefined) refuseScheme(options.dataFile, 'the data file');
  const encryption = await encryptionOf(options, path, flags.secrets);
  const dataPath = options.dataFile === undefined ? undefined : joinPath(dirname(path), options.dataFile);
  if (dataPath !== undefined) refuseDataFile(dataPath, image);
  if (isOn(options.given.get('nocow')) && isOnBtrfs(dirname(path)))
    say(
      'warning: nocow has no effect: the attribute cannot be set from here (chattr +C on the folder sets it)',
    );
  const files: OutputFile[] = [];
  const begin = async (target: string, bytes: number): Promise<OutputFile> => {
    const file = await createOutputFile(target, bytes);
    files.push(file);
    return file;
  };
  let named: string | undefined; // a data file that already has its name
  const discard = async (): Promise<void> => {
    await Promise.allSettled(files.map((file) => file.discard()));
    if (named !== undefined) await fs.rm(named, { force: true });
  };
  try {
    const data = dataPath === undefined ? undefined : await begin(dataPath, 0);
    const file = await begin(path, options.format === 'raw' ? size : 0);
    const disk = await unflushed(file.disk);
    const keyId = options.given.get('encrypt.key-secret');
    if (encryption !== undefined && keyId !== undefined) flags.secrets?.bind(file.disk.location, keyId);
    if (options.format === 'raw') {
      await preallocateRaw(file, options, signal);
    } else if (options.format === 'qcow') {
      await createQcow1(disk, { size, backing: image.backing, encryption, signal });
    } else {
      await createQcow(disk, {
        ...options.qcow,
        size,
        backing: image.backing,
        dataFile: data && { name: options.dataFile ?? '', disk: data.disk, raw: options.dataFileRaw },
        encryption,
        crypto: encryption && (await import('@diskstack/crypto/node')).nodePrimitives,
        signal,
      });
    }
    if (data !== undefined && image.isFilled) {
      await data.commit();
      files.shift();
      named = dataPath;
    }
    return {
      disk,
      location: file.disk.location,
      isZero: file.startsAsZeroes,
      async commit(committing) {
        for (const written of files) await written.commit(committing); // first the data file, because the image refers to it
      },
      discard,
    };
  } catch (error) {
    await discard();
    throw error;
  }
}

const BTRFS_MAGIC = 0x9123683e;

function isOnBtrfs(folder: string): boolean {
  try {
    return statfsSync(folder).type === BTRFS_MAGIC;
  } catch {
    return false; // a missing folder is reported elsewhere
  }
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && parseFlag('nocow', value);
}

/** A handle whose `flush` does nothing. */
async function unflushed(disk: DiskModule): Promise<DiskModule> {
  const handle = Object.assign(borrow(disk), { flush: async () => {} });
  await handle.init();
  return handle;
}

function refuseDataFile(dataPath: string, { path, inputs, isFilled = false }: NewImage): void {
  if (dataPath === path)
    throw new DiskError('ERR_ARGUMENT', `the data file ${quote(dataPath)} is the image itself`);
  refuseSameFile(dataPath, [path, ...inputs]);
  if (isFilled && fileIdentity(dataPath) !== undefined)
    throw new DiskError('ERR_ARGUMENT', `the data file ${quote(dataPath)} exists already`);
}

async function preallocateRaw(
  { disk }: OutputFile,
  { preallocation }: CreationOptions,
  signal: AbortSignal,
): Promise<void> {
  if (preallocation === 'metadata')
    throw new DiskError('ERR_ARGUMENT', 'preallocation of raw images is off, falloc or full, not "metadata"');
  if (preallocation === 'off') return;
  const zeroes = new Uint8Array(Math.min(disk.size(), 2 * 1024 * 1024));
  for (let at = 0; at < disk.size(); at += zeroes.length)
    await disk.write(at, zeroes.subarray(0, disk.size() - at), { signal });
}
