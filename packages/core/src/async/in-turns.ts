import { breathe } from './breathe.ts';

/** The unit of encryption, in bytes. */
export const SECTOR = 512;

/** Bytes that are encrypted or decrypted without a look at the time. */
const TOGETHER = 128 * 1024;

/**
 * Encrypts or decrypts whole sectors where they are, with turns for the event loop: a cipher without help of the processor
 * makes 20 MiB a second.
 *
 * @param first number of the first sector
 * @returns `undefined`, and no promise, for what is short
 */
export function inTurns(
  work: (bytes: Uint8Array, sector: number) => void,
  sectors: Uint8Array,
  first: number,
): Promise<void> | undefined {
  if (sectors.length > TOGETHER) return longInTurns(work, sectors, first);
  work(sectors, first);
  return undefined;
}

async function longInTurns(
  work: (bytes: Uint8Array, sector: number) => void,
  sectors: Uint8Array,
  first: number,
): Promise<void> {
  for (let done = 0; done < sectors.length; done += TOGETHER) {
    work(sectors.subarray(done, done + TOGETHER), first + done / SECTOR);
    const pause = breathe();
    if (pause !== undefined) await pause;
  }
}
