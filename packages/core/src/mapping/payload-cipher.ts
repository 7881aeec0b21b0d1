import { breathe } from '../async/breathe.ts';
import { roundUp } from '../binary/safe-number.ts';
import { DiskError } from '../errors/disk-error.ts';

/**
 * What encrypts the `data` extents of a layer: whole sectors, in place. The storage holds the last sector whole, also where
 * the disk ends inside it.
 */
export interface PayloadCipher {
  /**
   * Bytes that are encrypted as one: 512, or up to 4096 with LUKS 2. The unit of the writer is a multiple of it, and a data
   * extent maps whole sectors.
   */
  readonly sectorSize: number;
  /**
   * Whether sectors are numbered by their place on the disk presented, or on the disk below. In the second case they
   * are at multiples of `sectorSize` there.
   */
  readonly numbering: 'guest' | 'host';
  /** @param sector number of the first sector, in units of `sectorSize` */
  decrypt(bytes: Uint8Array, sector: number): void;
  /** @param sector number of the first sector, in units of `sectorSize` */
  encrypt(bytes: Uint8Array, sector: number): void;
}

/** Refuses a sector of a format that does not place sectors where its cipher numbers them. */
export function checkSector(sector: number, at: number, sectorSize: number): void {
  if (Number.isSafeInteger(sector)) return;
  throw new DiskError('ERR_INTERNAL', `a sector of ${sectorSize} bytes at byte ${at} has no whole number`, {
    offset: at,
  });
}

/** Bytes that are encrypted or decrypted without a look at the time. */
const TOGETHER = 128 * 1024;

/**
 * Encrypts or decrypts whole sectors where they are, with turns for the event loop: a cipher without help of the processor
 * makes 20 MiB a second.
 *
 * @param first number of the first sector
 * @returns `undefined`, and no promise, for what is short
 */
export function cipherSectors(
  cipher: PayloadCipher,
  direction: 'decrypt' | 'encrypt',
  sectors: Uint8Array,
  first: number,
): Promise<void> | undefined {
  if (sectors.length > TOGETHER) return longInTurns(cipher, direction, sectors, first);
  cipher[direction](sectors, first);
  return undefined;
}

async function longInTurns(
  cipher: PayloadCipher,
  direction: 'decrypt' | 'encrypt',
  sectors: Uint8Array,
  first: number,
): Promise<void> {
  const together = roundUp(TOGETHER, cipher.sectorSize);
  for (let done = 0; done < sectors.length; done += together) {
    cipher[direction](sectors.subarray(done, done + together), first + done / cipher.sectorSize);
    const pause = breathe();
    if (pause !== undefined) await pause;
  }
}
