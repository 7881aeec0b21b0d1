import type { TransferProgress } from '@diskstack/core';

/** Shows the progress of long work. */
export interface ProgressLine {
  readonly onProgress: (progress: TransferProgress) => void;
  /** Ends the line before something else is printed. */
  clear(): void;
}

export interface ProgressOptions {
  /** `-p` writes to stderr, because stdout has the result. Default: stdout, as qemu-img does. */
  readonly onStderr?: boolean;
}

/** Milliseconds between two updates on a terminal. */
const INTERVAL = 100;
/** Percent between two updates of `-p`, as in qemu-img. */
const STEP = 1;

/** Progress of the running work, for SIGUSR1. */
let latest: TransferProgress | undefined;

/**
 * With `-p` (`asked`): the lines of qemu-img, each of which overwrites the one before. Without it: a line on stderr if that
 * is a terminal, else nothing.
 */
export function progressLine(asked: boolean, { onStderr = false }: ProgressOptions = {}): ProgressLine {
  const stream = onStderr ? process.stderr : process.stdout;
  const shown = asked ? likeQemu(stream) : process.stderr.isTTY ? onTerminal() : undefined;
  return {
    onProgress(progress) {
      latest = progress;
      shown?.onProgress(progress);
    },
    clear() {
      latest = undefined;
      shown?.clear();
    },
  };
}

/** Prints the progress on SIGUSR1: a line on stderr, as qemu-img does. */
export function showProgress(): void {
  if (latest !== undefined) process.stderr.write(`    (${percentOf(latest)}/100%)\n`);
}

function likeQemu(stream: NodeJS.WriteStream): ProgressLine {
  let last = 0; // percent
  const show = (percent: string): void => {
    stream.write(`    (${percent}/100%)\r`);
  };
  show('0.00');
  return {
    onProgress(progress) {
      const percent = percentOf(progress);
      const isNews = Number(percent) - last >= STEP || (Number(percent) === 100 && last < 100);
      if (!isNews) return;
      last = Number(percent);
      show(percent);
    },
    clear() {
      stream.write('\n');
    },
  };
}

function onTerminal(): ProgressLine {
  let shownAt = 0;
  return {
    onProgress(progress) {
      const now = performance.now();
      if (now - shownAt < INTERVAL) return;
      shownAt = now;
      process.stderr.write(`    (${percentOf(progress)}/100%)\r`);
    },
    clear() {
      if (shownAt > 0) process.stderr.write('\r\u001b[K');
    },
  };
}

function percentOf({ done, total }: TransferProgress): string {
  return (total === 0 ? 100 : (done / total) * 100).toFixed(2);
}
