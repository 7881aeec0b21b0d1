import { describe, test } from 'vitest';
import type { DiskModule } from '../contracts/disk-module.ts';
import { ABILITY_CHECKS, type AbilityBehaviour } from './conformance-abilities.ts';
import { LIFE_CHECKS, type LifeBehaviour } from './conformance-life.ts';
import { READ_CHECKS, type ReadBehaviour } from './conformance-read.ts';
import { type Check, Subject } from './conformance-subject.ts';
import { READ_ONLY_CHECK, WRITE_CHECKS, type WriteBehaviour } from './conformance-write.ts';

/** Name of one behaviour of the suite, for `skip`. */
export type Behaviour = LifeBehaviour | ReadBehaviour | AbilityBehaviour | WriteBehaviour | 'readOnly';

/** What the suite has to know of a disk. */
export interface ConformanceOptions {
  /**
   * Makes a disk of its own for each call, not initialised yet. One that comes initialised skips `beforeInit` and says
   * why. The suite closes it.
   */
  readonly open: () => Promise<DiskModule> | DiskModule;
  /** The guest bytes of such a disk, all of them. A few hundred KiB show every seam. */
  readonly expected: Uint8Array;
  /** Whether it can be written. Default: false. */
  readonly writable?: boolean;
  /** Behaviours that the disk does not show, each with the reason why not. */
  readonly skip?: Readonly<Partial<Record<Behaviour, string>>>;
}

/**
 * The vitest suite that every disk passes: a module's tests call it once for each kind of disk that the module makes.
 * It checks what the contract of `DiskModule` promises, and the abilities that the disk has.
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
      if (reason !== undefined) {
        // The author of the disk gives the reason (`skip`), and the title shows it.
        test.skip(`${check.title} [skipped: ${reason}]`);
        continue;
      }
      test(check.title, async () => {
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
