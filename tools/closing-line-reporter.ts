import type { Reporter, TestModule } from 'vitest/node';

/** Prints one plain line at the end of a test run, `5 passed, 0 failed, 0 skipped`, for programs that read the output. */
export class ClosingLineReporter implements Reporter {
  readonly #notes: readonly string[];

  /** @param notes lines to print before the closing line, such as tests that could not run here */
  constructor(notes: readonly string[] = []) {
    this.#notes = notes;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let skipped = 0;
    let failed = unhandledErrors.length;
    for (const module of modules) {
      let failedTests = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') passed++;
        else if (state === 'skipped') skipped++;
        else failedTests++;
      }
      // A file that failed to load, or whose hooks failed, has no failed test.
      failed += failedTests === 0 && module.state() === 'failed' ? 1 : failedTests;
    }
    for (const note of this.#notes) process.stdout.write(`${note}\n`);
    process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  }
}
