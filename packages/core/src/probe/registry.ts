import { quote } from '../binary/text.ts';
import type { DiskFormat, Rank } from '../contracts/disk-format.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError } from '../contracts/errors.ts';
import { imageMagics } from '../signatures/images.ts';
import { type ProbeWindow, readProbeWindow } from './window.ts';

const STRENGTH: Readonly<Record<Rank, number>> = { fallback: 0, structure: 1, magic: 2 };

export interface Match {
  readonly format: DiskFormat;
  readonly rank: Rank;
}

/** The formats that a program knows. The order of registration decides nothing. */
export class ProbeRegistry {
  readonly #byName = new Map<string, DiskFormat>();

  constructor(formats: Iterable<DiskFormat>) {
    for (const format of formats) {
      if (this.#byName.has(format.name)) {
        throw new DiskError(
          'ERR_ARGUMENT',
          `two formats are registered under the name ${quote(format.name)}`,
        );
      }
      this.#byName.set(format.name, format);
    }
  }

  get formats(): readonly DiskFormat[] {
    return [...this.#byName.values()];
  }

  /** The format of this name; `ERR_UNKNOWN_FORMAT` lists the known ones. */
  named(name: string): DiskFormat {
    const format = this.#byName.get(name);
    if (format !== undefined) return format;
    const known = [...this.#byName.keys()].sort().join(', ');
    throw new DiskError(
      'ERR_UNKNOWN_FORMAT',
      `no format ${quote(name)} is registered; known: ${known || 'none'}`,
    );
  }

  /** Every format that claims the bytes, the surest first. */
  matches(window: ProbeWindow): readonly Match[] {
    const matches: Match[] = [];
    for (const format of this.#byName.values()) {
      const rank = format.probe(window);
      if (rank !== undefined) matches.push({ format, rank });
    }
    return matches.sort(
      (a, b) => STRENGTH[b.rank] - STRENGTH[a.rank] || (a.format.name < b.format.name ? -1 : 1),
    );
  }

  /**
   * The same, for a disk that is about to be read. What is known to be an image, and has no format that reads it, is
   * `ERR_UNSUPPORTED`: its bytes are no disk, so they are read as raw only when the caller declares it.
   */
  sure(window: ProbeWindow): readonly Match[] {
    const matches = this.matches(window);
    const [best] = matches;
    if (best !== undefined && best.rank !== 'fallback') return matches;
    const [image] = imageMagics(window);
    if (image === undefined) return matches;
    throw new DiskError(
      'ERR_UNSUPPORTED',
      `the disk is ${image.title}, which is recognised and not read; declare the format raw to read its bytes as they are`,
      { offset: image.at },
    );
  }

  /** The one format with the best rank. `ERR_AMBIGUOUS_FORMAT` names both when two are equally sure. */
  async probe(disk: DiskModule, io?: Io): Promise<DiskFormat> {
    const [best, second] = this.sure(await readProbeWindow(disk, io));
    if (best === undefined) {
      throw new DiskError('ERR_UNKNOWN_FORMAT', 'no registered format recognises the disk');
    }
    if (second !== undefined && second.rank === best.rank) {
      throw new DiskError(
        'ERR_AMBIGUOUS_FORMAT',
        `both ${best.format.name} and ${second.format.name} claim the disk by ${best.rank}; say which with a declared format`,
      );
    }
    return best.format;
  }
}
