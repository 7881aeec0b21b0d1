import { promises as fs, statfsSync } from 'node:fs';
import {
  type BackingName,
  borrow,
  DiskError,
  type DiskModule,
  type Disks,
  dirname,
  type Io,
  joinPath,
  quote,
} from '@diskstack/core';
import { createOutputFile, fileIdentity, type OutputFile } from '@diskstack/core/node';
import { type CreationOptions, keyIdOf, withKey } from '../image-options/creation-options.ts';
import { refuseScheme } from '../image-spec/operands.ts';
import type { OpenFlags } from '../options/open-options.ts';
import { host } from '../session/host.ts';
import { say } from '../terminal/stderr.ts';
import { allocate } from './allocate.ts';
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
  readonly backing?: BackingName | undefined;
  /** Files that the command reads or names. None of them may be overwritten. */
  readonly inputs: readonly string[];
  /**
   * The image is opened and filled next. A further file takes its name immediately, because the image opens it by that name.
   * It must not exist yet, so that nothing is lost if the rest fails.
   */
  readonly isFilled?: boolean;
  readonly signal: AbortSignal;
}

/** Makes an empty image under a temporary name. */
export async function beginImage(disks: Disks, image: NewImage, flags: OpenFlags): Promise<NewImageFile> {
  const { path, size, options, backing, inputs, signal } = image;
  refuseSameFile(path, inputs);
  if (backing !== undefined) refuseScheme(backing.name, 'the backing file', flags.allowScheme);
  const values = await withKey(options, path, flags.secrets);
  if (options.file.nocow && isOnBtrfs(dirname(path)))
    say(
      'warning: nocow has no effect: the attribute cannot be set from here (chattr +C on the folder sets it)',
    );
  const files: OutputFile[] = []; // those without their names yet: the image, then further files
  const named: string[] = []; // further files that have their names already
  const begin = async (target: string, bytes: number): Promise<OutputFile> => {
    const file = await createOutputFile(target, bytes, { host });
    files.push(file);
    return file;
  };
  const further: { readonly target: string; readonly file: OutputFile }[] = [];
  const makeFile = async (name: string): Promise<DiskModule> => {
    const target = joinPath(dirname(path), name);
    refuseFurtherFile(target, name, image);
    const file = await begin(target, 0);
    further.push({ target, file });
    return file.disk;
  };
  const nameFurtherFiles = async (): Promise<void> => {
    for (const { target, file } of further) {
      await file.commit();
      files.splice(files.indexOf(file), 1);
      named.push(target);
    }
  };
  const discard = async (): Promise<void> => {
    await Promise.allSettled(files.map((file) => file.discard()));
    await Promise.all(named.map((target) => fs.rm(target, { force: true })));
  };
  try {
    const { format, creation } = options;
    const file = await begin(path, creation.plain ? size : 0);
    const disk = await unflushed(file.disk);
    const keyId = keyIdOf(options);
    if (keyId !== undefined) flags.secrets?.bind(file.disk.location, keyId);
    if (creation.plain) {
      // The file is the image already.
      const { preallocation } = options.file;
      if (preallocation !== 'off')
        await allocate(file.disk, 0, size, preallocation === 'falloc' ? 'falloc' : 'full', signal);
    } else {
      await disks.create(disk, { format, size, options: values, backing, makeFile, signal });
    }
    if (image.isFilled) await nameFurtherFiles();
    return {
      disk,
      location: file.disk.location,
      isZero: file.startsAsZeroes,
      async commit(committing) {
        for (const written of files.toReversed()) await written.commit(committing); // the image last: it refers to the others
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

/** A handle whose `flush` does nothing. */
async function unflushed(disk: DiskModule): Promise<DiskModule> {
  const handle = Object.assign(borrow(disk), { flush: async () => {} });
  await handle.init();
  return handle;
}

/** Refuses a further file that would overwrite the image, an input, or a file that exists and may be lost. */
function refuseFurtherFile(target: string, name: string, { path, inputs, isFilled = false }: NewImage): void {
  refuseScheme(name, 'the data file');
  if (target === path)
    throw new DiskError('ERR_ARGUMENT', `the data file ${quote(target)} is the image itself`);
  refuseSameFile(target, [path, ...inputs]);
  if (isFilled && fileIdentity(target) !== undefined)
    throw new DiskError('ERR_ARGUMENT', `the data file ${quote(target)} exists already`);
}
