import type { BenchImage } from './images.ts';

/** A piece of work that both programs do. Each measurement is in `unit`. */
export interface Work {
  readonly name: string;
  readonly unit: 'ms' | 'µs' | 'MiB';
  /** Whether it is measured with an image. */
  readonly images: (image: BenchImage) => boolean;
  /** A program that it needs and that may be missing. */
  readonly program?: string;
  /** What else is missing to run it; `undefined` if nothing is. */
  readonly lacks?: () => string | undefined;
  ours(image: BenchImage): number | Promise<number>;
  /** Absent: nothing to compare with. */
  theirs?(image: BenchImage): number | Promise<number>;
}
