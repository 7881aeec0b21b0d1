import { describe, test } from 'vitest';
import type { DiskModule } from '../contracts/disk-module.ts';
import { ABILITY_CHECKS, type AbilityBehaviour } from './conformance-abilities.ts';
import { LIFE_CHECKS, type LifeBehaviour } from './conformance-life.ts';
import { READ_CHECKS, type ReadBehaviour } from './conformance-read.ts';
import { type Check, Subject } from './conformance-subject.ts';
import { READ_ONLY_CHECK, WRITE_CHECKS, type WriteBehaviour } from './conformance-write.ts';

/** Name of a behaviour of the suite, for `skip`. */
export type Behaviour = LifeBehaviour | ReadBehaviour | AbilityBehaviour | WriteBehaviour | 'readOnly';

/** What the suite needs to test a disk. */
export interface ConformanceOptions {
  /**
   * Makes a separate disk for each call, not yet initialised. The suite closes it. If the disks are always initialised, skip
   * `beforeInit` with that reason.
   */
  readonly open: () => Promise<DiskModule> | DiskModule;
  /** All guest bytes of such a disk. A few hundred KiB cover every boundary. */
  readonly expected: Uint8Array;
  /** Whether the disk is writable. Default: false. */
  readonly writable?: boolean;
  /** Behaviours that the disk does not have, each with the reason. */
  readonly skip?: Readonly<Partial<Record<Behaviour, string>>>;
}

/**
 * Declares the vitest suite that every disk passes. Call it once for each kind of disk that a module makes. It checks the
 * contract of `DiskModule`, and the abilities that the disk has.
 */
export function describeDiskModule(name: string, options: ConformanceOptions): void {
  const { open, expected, writable = false, skip = {} } = options;
  const checks: Readonly<Partial<Record<Behaviour, Check>>> = {
    ...LIFE_CHECKS,
    ...READ_CHECKS,
    ...ABILITY_CHECKS,
    ...(writable ? WRITE_CHECKS : { readOnly: READ_ONLY_CHECK }),
  };
  const reasons: Readonly<Record<string, string | undefined>> = skip;
  describe(`${name} is a DiskModule`, () => {
    for (const [behaviour, check] of Object.entries(checks)) {
      const reason = reasons[behaviour];
      const title = reason === undefined ? check.title : `${check.title} [skipped: ${reason}]`;
      // A module leaves a check out only by naming its reason in `skip`.
      test.runIf(reason === undefined)(title, async () => {
        const subject = new Subject(open, expected, writable);
        try {
          await check.run(subject);
        } finally {
          await subject.closeAll();
        }
      });
    }
  });
}
