import type { DiskFormat, Rank } from '../contracts/disk-format.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { ProbeWindow } from '../contracts/probe-window.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';
import { recogniseIn } from '../probe/recognise.ts';
import {
  HEAD_BYTES,
  readHead,
  readProbeWindow,
  readTail,
  TAIL_BYTES,
  type WindowSize,
} from '../probe/window.ts';

const STRENGTH: Readonly<Record<Rank, number>> = { fallback: 0, footer: 1, structure: 2, magic: 3 };
/** The most bytes that a format may ask for at each end of a disk. */
const MOST_BYTES = 1024 * 1024;

export interface Match {
  readonly format: DiskFormat;
  readonly rank: Rank;
}

/** The format that a disk has, and the bytes at its start, which the format reads again otherwise. */
export interface Probed {
  readonly format: DiskFormat;
  readonly head: Uint8Array;
}

/** The formats of a program. Their order of registration does not matter. */
export class ProbeRegistry {
  readonly #byName = new Map<string, DiskFormat>();
  /** The union of the windows that the formats ask for. One window is read for all of them. */
  readonly #window: WindowSize;

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
    this.#window = unionOf([...this.#byName.values()]);
  }

  /** Reads both ends of a disk, as many bytes as the formats ask for. */
  windowOf(disk: DiskModule, io?: Io): Promise<ProbeWindow> {
    return readProbeWindow(disk, io, this.#window);
  }

  get formats(): readonly DiskFormat[] {
    return [...this.#byName.values()];
  }

  /** The format with this name. `ERR_UNKNOWN_FORMAT` lists the known ones. */
  named(name: string): DiskFormat {
    const format = this.#byName.get(name);
    if (format !== undefined) return format;
    const known = [...this.#byName.keys()].sort().join(', ');
    throw new DiskError(
      'ERR_UNKNOWN_FORMAT',
      `no format ${quote(name)} is registered; known: ${known || 'none'}`,
    );
  }

  /** All formats that claim the bytes, the best rank first. */
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
   * The same for a disk that is about to be read. Throws `ERR_UNSUPPORTED` for an image that is recognised but that no format
   * reads: its bytes are not the bytes of a disk, so they are read as raw only if the caller declares that.
   */
  sure(window: ProbeWindow): readonly Match[] {
    const matches = this.matches(window);
    const [best] = matches;
    if (best !== undefined && best.rank !== 'fallback') return matches;
    const [image] = recogniseIn(window, ['image', 'archive']);
    if (image === undefined) return matches;
    throw new DiskError(
      'ERR_UNSUPPORTED',
      `the disk is ${image.title}, which is recognised but not supported; declare the format raw to read its bytes as they are`,
      { offset: image.at },
    );
  }

  /**
   * The format with the best rank. `ERR_AMBIGUOUS_FORMAT` names both if two have the same rank. The end of the disk is read only
   * when no format finds its magic number at the start: no footer outranks that.
   */
  async probe(disk: DiskModule, io?: Io): Promise<Probed> {
    const start = await readHead(disk, io, this.#window);
    const found = this.matches(start);
    const [best, second] =
      found[0]?.rank === 'magic' ? found : this.sure(await readTail(disk, start, io, this.#window));
    if (best === undefined) {
      throw new DiskError('ERR_UNKNOWN_FORMAT', 'no registered format recognises the disk');
    }
    if (second !== undefined && second.rank === best.rank) {
      throw new DiskError(
        'ERR_AMBIGUOUS_FORMAT',
        `both ${best.format.name} and ${second.format.name} claim the disk by ${best.rank}; declare the format`,
      );
    }
    return { format: best.format, head: start.head };
  }
}

function unionOf(formats: readonly DiskFormat[]): WindowSize {
  let [head, tail] = [HEAD_BYTES, TAIL_BYTES];
  for (const { name, window = {} } of formats) {
    const bytes = Math.max(window.head ?? 0, window.tail ?? 0);
    if (bytes > MOST_BYTES) {
      const reason = `the format ${quote(name)} asks for a window of ${bytes} bytes, ${MOST_BYTES} are allowed`;
      throw new DiskError('ERR_ARGUMENT', reason);
    }
    head = Math.max(head, window.head ?? 0);
    tail = Math.max(tail, window.tail ?? 0);
  }
  return { head, tail };
}
