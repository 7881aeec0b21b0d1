import type { BackingName, WorkIo } from '../contracts/changes.ts';
import type { DiskFormat } from '../contracts/disk-format.ts';
import type { DiskModule } from '../contracts/disk-module.ts';
import type { ImageCreation } from '../contracts/image-creation.ts';
import type { OptionSchema, OptionType, OptionValues } from '../contracts/image-options.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';
import type { ProbeRegistry } from '../stack/probe-registry.ts';
import type { Services } from '../stack/services.ts';
import { checkOptions } from './check-options.ts';

/** Describes a new image. */
export interface CreateOptions extends WorkIo {
  /** Name of the format. */
  readonly format: string;
  /** Size of the disk in guest bytes. */
  readonly size: number;
  /**
   * Options by the schema of the format, without the size and the backing file: these have properties of their
   * own. Default: none.
   */
  readonly options?: OptionValues | undefined;
  /** Backing file, which the image shows where nothing is written. Default: none, the image shows zeroes. */
  readonly backing?: BackingName | undefined;
  /**
   * Makes an empty, initialised disk for a further file that the image names. The caller owns it. Default: an image that needs
   * one is an error.
   */
  readonly makeFile?: ((name: string) => Promise<DiskModule>) | undefined;
}

/** `Disks.create`. */
export async function createImage(
  services: Services,
  registry: ProbeRegistry,
  target: DiskModule,
  request: CreateOptions,
): Promise<void> {
  const { size, options = {}, backing, makeFile = noFiles, signal, onProgress } = request;
  const { crypto } = services;
  const format = registry.named(request.format);
  const creation = creationOf(format, registry);
  const values = checkOptions(format.name, creation.options, options);
  for (const name of Object.keys(values)) refuseOwnProperty(name, creation.options);
  creation.check?.(values, { compressed: false });
  if (!Number.isSafeInteger(size) || size < 0)
    throw new DiskError('ERR_ARGUMENT', `the size is a whole number of 0 or more bytes, not ${size}`);
  if (backing !== undefined && !hasOption(creation.options, 'backing-file'))
    throw new DiskError('ERR_ARGUMENT', `${format.name} images have no backing file`);
  await creation.write(target, {
    size,
    options: values,
    backing,
    makeFile,
    crypto: async () => (typeof crypto === 'function' ? crypto() : crypto),
    signal,
    onProgress,
  });
}

/** How the format creates images. `ERR_UNSUPPORTED` for a format that can only be read; the error lists those that can create. */
export function creationOf(format: DiskFormat, { formats }: ProbeRegistry): ImageCreation {
  if (format.create !== undefined) return format.create;
  const able = formats.filter(({ create }) => create !== undefined).map(({ name }) => name);
  throw new DiskError(
    'ERR_UNSUPPORTED',
    `writing ${quote(format.name)} images is not supported; possible: ${able.join(', ') || 'none'}`,
  );
}

/** Whether the schema has an option of this type. */
export function hasOption(schema: OptionSchema, type: OptionType): boolean {
  return Object.values(schema).some((option) => option.type === type);
}

/** Refuses a size or a backing file among the options: `CreateOptions` has properties for them, and the two could differ. */
function refuseOwnProperty(name: string, schema: OptionSchema): void {
  const type = schema[name]?.type;
  const property = type === 'virtual-size' ? 'size' : type?.startsWith('backing-') ? 'backing' : undefined;
  if (property !== undefined)
    throw new DiskError('ERR_ARGUMENT', `${name} is not among the options: pass it as ${property}`);
}

async function noFiles(name: string): Promise<DiskModule> {
  throw new DiskError(
    'ERR_UNSUPPORTED',
    `the image needs a further file, ${quote(name)}, but makeFile is not given`,
  );
}
