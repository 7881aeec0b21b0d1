import { breathe } from '../async/breathe.ts';
import { roundUp } from '../binary/safe-number.ts';
import { DiskError } from '../errors/disk-error.ts';

/**
 * Encrypts and decrypts the `data` extents of a layer: whole sectors, in place. The last sector is stored whole, even if the disk
 * ends inside it.
 */
export interface PayloadCipher {
  /**
   * Bytes of an encryption sector: 512, or up to 4096 with LUKS 2. The unit of the writer is a multiple of it, and data extents
   * map whole sectors.
   */
  readonly sectorSize: number;
  /**
   * `guest`: sectors are numbered by their guest offset. `host`: by their offset on the disk below, a multiple of `sectorSize`.
   */
  readonly numbering: 'guest' | 'host';
  /** @param sector number of the first sector, in units of `sectorSize` */
  decrypt(bytes: Uint8Array, sector: number): void;
  /** @param sector number of the first sector, in units of `sectorSize` */
  encrypt(bytes: Uint8Array, sector: number): void;
}

/** Throws `ERR_INTERNAL` if the number of a sector is not an integer: the format has placed it at an unaligned offset. */
export function checkSector(sector: number, at: number, sectorSize: number): void {
  if (Number.isSafeInteger(sector)) return;
  throw new DiskError('ERR_INTERNAL', `the sector at byte ${at} is not aligned to ${sectorSize} bytes`, {
    offset: at,
  });
}

/** Bytes that are encrypted or decrypted before yielding to the event loop. */
const TURN_BYTES = 128 * 1024;

/**
 * Encrypts or decrypts whole sectors in place. Yields to the event loop, because a cipher without hardware support processes only
 * 20 MiB per second.
 *
 * @param first number of the first sector
 * @returns `undefined`, and no promise, for up to 128 KiB
 */
export function cipherSectors(
  cipher: PayloadCipher,
  direction: 'decrypt' | 'encrypt',
  sectors: Uint8Array,
  first: number,
): Promise<void> | undefined {
  if (sectors.length > TURN_BYTES) return cipherInTurns(cipher, direction, sectors, first);
  cipher[direction](sectors, first);
  return undefined;
}

async function cipherInTurns(
  cipher: PayloadCipher,
  direction: 'decrypt' | 'encrypt',
  sectors: Uint8Array,
  first: number,
): Promise<void> {
  const together = roundUp(TURN_BYTES, cipher.sectorSize);
  for (let done = 0; done < sectors.length; done += together) {
    cipher[direction](sectors.subarray(done, done + together), first + done / cipher.sectorSize);
    const pause = breathe();
    if (pause !== undefined) await pause;
  }
}
