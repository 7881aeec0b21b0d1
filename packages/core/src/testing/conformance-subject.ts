import { expect } from 'vitest';
import type { DiskModule } from '../contracts/disk-module.ts';
import type { DiskErrorCode } from '../errors/disk-error.ts';
import { diskErrorOf } from './disk-error-of.ts';
import { firstDifference } from './pattern-disk.ts';

/** One behaviour that a disk has to have. */
export interface Check {
  readonly title: string;
  run(subject: Subject): Promise<void>;
}

/** The disks of one check. `closeAll` closes them after the check. */
export class Subject {
  /** The guest bytes of a disk from `fresh`. */
  readonly expected: Uint8Array;
  readonly writable: boolean;
  readonly #open: () => Promise<DiskModule> | DiskModule;
  readonly #disks: DiskModule[] = [];

  constructor(open: () => Promise<DiskModule> | DiskModule, expected: Uint8Array, writable: boolean) {
    this.#open = open;
    this.expected = expected;
    this.writable = writable;
  }

  /** Size of the disk in guest bytes. */
  get size(): number {
    return this.expected.length;
  }

  /** Makes a separate disk with `open`. */
  async fresh(): Promise<DiskModule> {
    const disk = await this.#open();
    this.#disks.push(disk);
    return disk;
  }

  /** Makes a separate, initialised disk. */
  async ready(): Promise<DiskModule> {
    const disk = await this.fresh();
    await disk.init();
    return disk;
  }

  async closeAll(): Promise<void> {
    for (const disk of this.#disks) await disk.close();
  }

  /** The expected bytes of a range, clipped at the end of the disk as by `read`. */
  part(offset: number, length: number): Uint8Array {
    return this.expected.subarray(offset, offset + length);
  }

  /** Reads a range and compares it. */
  async expectRead(disk: DiskModule, offset: number, length: number): Promise<void> {
    expectBytes(await disk.read(offset, length), this.part(offset, length), offset);
  }

  /** Expects that the whole disk has the same bytes as a disk from `fresh`. */
  async expectUnchanged(disk: DiskModule): Promise<void> {
    await this.expectRead(disk, 0, this.size);
  }
}

/** Expects equal bytes. The failure reports where the wrong bytes came from. `offset` is the disk offset of the first byte. */
export function expectBytes(actual: Uint8Array, expected: Uint8Array, offset: number): void {
  expect(firstDifference(actual, expected, offset)).toBeUndefined();
}

/** Expects that the work fails with a `DiskError` of this code. */
export async function expectCode(work: () => unknown, code: DiskErrorCode): Promise<void> {
  expect((await diskErrorOf(work)).code).toBe(code);
}

/** Returns a generator of reproducible pseudo-random numbers from 0 to `below - 1`. */
export function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
