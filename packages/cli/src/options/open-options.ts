import { DiskError, quote, type SnapshotChoice } from '@diskstack/core';
import { Option } from 'commander';
import { type ImageSpecs, withoutScheme } from '../image-spec/operands.ts';
import type { Secrets } from '../secrets/secrets.ts';
import { parseSnapshotChoice } from '../values/snapshot-choice.ts';
import type { PluginFlags } from './plugin-option.ts';
import { repeatable } from './repeatable.ts';
import type { DebugFlags } from './report-options.ts';

/** Options of every command that opens a disk. */
export interface OpenFlags extends DebugFlags, PluginFlags {
  readonly format?: string;
  readonly allowBacking?: readonly string[];
  readonly untrusted?: boolean;
  readonly volume?: readonly string[];
  readonly secret?: readonly string[];
  readonly snapshot?: SnapshotChoice;
  readonly pv?: readonly string[];
  readonly allowScheme?: readonly string[];
  readonly imageOpts?: boolean;
  readonly object?: readonly string[];
  readonly limit?: readonly string[];
  readonly maxChainDepth?: string;
  /** Images that are described in more than a path, by the operands that stand for them. */
  readonly specs?: ImageSpecs;
  /** What `secret` and `object` give, read once for the command. */
  readonly secrets?: Secrets;
  readonly forceShare?: boolean;
}

export function formatOption(): Option {
  return new Option('-f, --format <format>', 'format of the image. Default: probed');
}

/** The state of the image to read. */
export function snapshotOption(): Option {
  return snapshotNamed('--snapshot <id or name>');
}

/** The same, with the letter that qemu-img has for it. */
export function qemuSnapshotOption(): Option {
  return snapshotNamed('-l, --snapshot <id or name>');
}

function snapshotNamed(flags: string): Option {
  return new Option(
    flags,
    'internal snapshot to read instead of the active state; also snapshot.id=ID, snapshot.name=NAME',
  ).argParser(parseSnapshotChoice);
}

/** Further disks of volume groups, for layers inside of images. */
export function pvOption(): Option {
  return repeatable(
    '--pv <image[#layer]>',
    'further physical volume of a volume group (repeatable); a layer of an image is IMAGE#p2, IMAGE#lv:VG/LV …',
  );
}

/** For commands that read. An image that is opened for writing is locked all the same. */
export function forceShareOption(): Option {
  return new Option(
    '-U, --force-share',
    'read an image that another process is writing; the content may be inconsistent',
  );
}

/** `PATH=IMAGE` of every `--volume`. */
export function parseVolumes(declared: readonly string[] = []): Readonly<Record<string, string>> {
  const volumes: [string, string][] = declared.map((text) => {
    const at = text.indexOf('=');
    if (at > 0 && at < text.length - 1) return [text.slice(0, at), withoutScheme(text.slice(at + 1))];
    throw new DiskError('ERR_ARGUMENT', `--volume takes PATH=IMAGE, not ${quote(text)}`);
  });
  const paths = volumes.map(([path]) => path);
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twice !== undefined) throw new DiskError('ERR_ARGUMENT', `--volume declares ${quote(twice)} twice`);
  return Object.fromEntries(volumes);
}
