import { setTimeout as delay } from 'node:timers/promises';
import { DiskError, type DiskModule, type Io } from '@diskstack/core';
import { parseSize } from './byte-size.ts';

/** `-r RATE`: bytes in a second. 0 and nothing are no limit. */
export function parseRate(text: string | undefined): number | undefined {
  const rate = text === undefined ? 0 : parseSize(text, '-r');
  return rate === 0 ? undefined : rate;
}

/** The same disk, whose writes take as long as the rate makes them take. */
export function rateLimited(disk: DiskModule, rate: number | undefined, signal: AbortSignal): DiskModule {
  if (rate === undefined) return disk;
  let freeAt = performance.now();
  const write = async (offset: number, data: Uint8Array, io?: Io): Promise<number> => {
    const now = performance.now();
    const startAt = Math.max(now, freeAt);
    freeAt = startAt + (data.length / rate) * 1000;
    if (startAt > now) await pause(startAt - now, signal);
    return disk.write(offset, data, io);
  };
  return new Proxy(disk, {
    get(target, key) {
      if (key === 'write') return write;
      const value: unknown = Reflect.get(target, key, target); // private fields need the disk itself
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, { signal });
  } catch (cause) {
    throw new DiskError('ERR_ABORTED', 'aborted by the caller', { cause });
  }
}
