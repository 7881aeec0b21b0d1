import type { TransferProgress } from '@diskstack/core';

/** Shows how far a transfer is, on stderr. */
export interface ProgressLine {
  readonly onProgress: ((progress: TransferProgress) => void) | undefined;
  /** Takes the line away: something else is to be said. */
  clear(): void;
}

/** Milliseconds between two updates on a terminal. */
const INTERVAL = 100;
/** Elsewhere: percent between two lines. */
const STEP = 10;

/** A line that is overwritten on a terminal; elsewhere, when it is asked for, a line for every tenth of the work. */
export function progressLine(asked: boolean): ProgressLine {
  if (process.stderr.isTTY) return onTerminal();
  return { onProgress: asked ? inLines() : undefined, clear() {} };
}

function onTerminal(): ProgressLine {
  let shownAt = 0;
  return {
    onProgress(progress) {
      const now = performance.now();
      if (now - shownAt < INTERVAL) return;
      shownAt = now;
      process.stderr.write(`    (${percentOf(progress).toFixed(2)}/100%)\r`);
    },
    clear() {
      if (shownAt > 0) process.stderr.write('\r\u001b[K');
    },
  };
}

function inLines(): (progress: TransferProgress) => void {
  let next = 0;
  return (progress) => {
    const percent = percentOf(progress);
    if (percent < next) return;
    next = Math.floor(percent / STEP) * STEP + STEP;
    process.stderr.write(`(${percent.toFixed(2)}/100%)\n`);
  };
}

function percentOf({ done, total }: TransferProgress): number {
  return total === 0 ? 100 : (done / total) * 100;
}
