import { type BigIntStats, promises as fs } from 'node:fs';
import { can, copyDisk, DiskError, type DiskModule, dirname, joinPath, quote } from '@diskstack/core';
import { createOutputFile } from '@diskstack/core/node';
import { type OpenFlags, parseVolumes } from '../open-options.ts';
import { chainOf, locationOf, withSession } from '../session.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { progressLine } from '../terminal/progress.ts';

/** `diskstack convert IMAGE OUTPUT` */
export async function convert(
  image: string,
  output: string,
  flags: OpenFlags & { readonly outputFormat: string; readonly progress?: boolean },
): Promise<void> {
  if (flags.outputFormat !== 'raw') {
    throw new DiskError(
      'ERR_UNSUPPORTED',
      `writing ${quote(flags.outputFormat)} images is not supported; -O raw is`,
    );
  }
  await interruptible((signal) =>
    withSession(flags, async (session) => {
      const source = await session.open(image, { signal });
      const inputs = [
        image,
        ...Object.values(parseVolumes(flags.volume)),
        ...chainOf(source).flatMap(filesOf),
      ];
      await refuseSameFile(output, inputs);
      const target = await createOutputFile(output, source.size());
      const progress = progressLine(flags.progress ?? false);
      const { onProgress } = progress;
      try {
        await copyDisk(source, target.disk, { targetIsZero: target.startsAsZeroes, signal, onProgress });
        await target.commit();
      } catch (error) {
        await target.discard();
        throw error;
      } finally {
        progress.clear();
      }
    }),
  );
}

/** The file of a layer, and the one that holds its clusters where that is another. */
function filesOf(layer: DiskModule): string[] {
  const location = locationOf(layer);
  if (location === undefined) return [];
  const dataFile = can(layer, 'info') ? layer.info().dataFile : undefined;
  return dataFile === undefined ? [location] : [location, joinPath(dirname(location), dataFile)];
}

/** What is read must not be what is written: the content would be gone before it is read. */
async function refuseSameFile(output: string, inputs: readonly string[]): Promise<void> {
  const target = await identityOf(output);
  if (target === undefined) return;
  for (const input of inputs) {
    if ((await identityOf(input)) === target) {
      throw new DiskError(
        'ERR_ARGUMENT',
        `the output ${quote(output)} is the same file as the input ${quote(input)}`,
      );
    }
  }
}

/** Equal for two paths that lead to the same bytes, also by links; of a device, by any of its nodes. */
async function identityOf(path: string): Promise<string | undefined> {
  let stats: BigIntStats;
  try {
    stats = await fs.stat(path, { bigint: true });
  } catch {
    return undefined; // not there, or the path of a volume
  }
  return stats.isBlockDevice() ? `device ${stats.rdev}` : `file ${stats.dev}:${stats.ino}`;
}
