import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeWithQemu, qemuImg } from './support/qemu.ts';
import { finished, start } from './support/run-cli.ts';
import { tempFolder } from './support/temp-folder.ts';

// A signal at any moment: the command ends as it says, and leaves no lock behind.

const folder = tempFolder();
const locks = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.lock'));

describeWithQemu('a signal as soon as an image is locked', () => {
  test.each([
    ['commit', ['commit', 'over.qcow2']],
    ['commit -d', ['commit', '-d', 'over.qcow2']],
    ['rebase', ['rebase', '-b', '', 'over.qcow2']],
    ['check -r all', ['check', '-r', 'all', 'over.qcow2']],
    ['snapshot -c', ['snapshot', '-c', 'one', 'over.qcow2']],
    ['resize', ['resize', 'over.qcow2', '+1M']],
  ] as const)('%s ends in order, and its locks go', async (_, args) => {
    for (let round = 0; round < 5; round++) {
      writeFileSync(join(folder, 'base.raw'), new Uint8Array(4 * 1024 * 1024).fill(round));
      qemuImg(folder, 'create', '-q', '-f', 'qcow2', '-b', 'base.raw', '-F', 'raw', 'over.qcow2');
      const child = start(args, folder);
      const run = finished(child);
      let isOver = false;
      void run.then(() => {
        isOver = true;
      });
      while (!isOver && locks().length === 0) await new Promise((resolve) => setImmediate(resolve));
      child.kill('SIGINT');
      expect([0, 130]).toContain((await run).status);
      expect(locks()).toEqual([]);
    }
  });
});
