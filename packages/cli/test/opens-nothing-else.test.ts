import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type * as Node from '@diskstack/core/node';
import { type SpyDriver, spyDriver } from '@diskstack/core/testing';
import { beforeEach, expect, it, vi } from 'vitest';
import { counting } from './support/images.ts';
import { renameBacking } from './support/qcow2-bytes.ts';
import { create, createEncrypted, describeWithQemu, qemuImg } from './support/qemu.ts';
import { runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

const spies: SpyDriver[] = [];

// The program as it is wired, but for the driver of its files.
vi.mock('@diskstack/core/node', async (original) => {
  const node = await original<typeof Node>();
  return {
    ...node,
    fileDriver: () => {
      const spy = spyDriver(node.fileDriver());
      spies.push(spy);
      return spy;
    },
  };
});

const folder = tempFolder();

beforeEach(() => {
  spies.length = 0;
});

function opens(): unknown[] {
  return spies.flatMap(({ calls }) => calls.filter(({ call }) => call === 'open'));
}

const commands = [
  ['info'],
  ['probe'],
  ['inspect'],
  ['check'],
  ['snapshot', '-l'],
  ['bitmaps'],
  ['info', '--output', 'json'],
  ['inspect', '--output', 'json', '-f', 'qcow2'],
];

describeWithQemu('of an image that names others, nothing else is opened', () => {
  mkdirSync(join(folder, 'sub'));
  writeFileSync(join(folder, 'base.raw'), counting(65_536));
  create(folder, 'overlay.qcow2', 'qcow2', '1M', { backing: ['base.raw', 'raw'] });
  create(folder, 'unsaid.qcow2', 'qcow2', '1M', { backing: ['overlay.qcow2', 'qcow2'] });
  create(folder, 'self.qcow2', 'qcow2', '1M', { backing: ['four.qcow2', 'qcow2'] });
  renameBacking(join(folder, 'self.qcow2'), Buffer.from('self.qcow2'));
  create(folder, 'external.qcow2', 'qcow2', '1M', { o: `data_file=${join(folder, 'external.data')}` });
  createEncrypted(
    folder,
    'luks.qcow2',
    'qcow2',
    'luks',
    '1M',
    ',backing_file=base.raw,backing_fmt=raw',
    '-u',
  );
  qemuImg(folder, 'bitmap', '--add', 'overlay.qcow2', 'one');
  const images = ['overlay', 'unsaid', 'self', 'external', 'luks'];

  it.for(commands.flatMap((args) => images.map((image) => [args.join(' '), image] as const)))(
    '%s %s',
    async ([command, image]) => {
      const path = join(folder, `${image}.qcow2`);
      const { status, stdout } = await runHere(...command.split(' '), path);
      expect(status).toBe(command.startsWith('inspect') ? 2 : 0);
      expect(stdout).not.toHaveLength(command === 'snapshot -l' ? 1 : 0);
      expect(opens()).toEqual([{ call: 'open', path, writable: false }]);
      expect(spies.map(({ openDisks }) => openDisks)).toEqual([0]);
    },
  );

  it('while a command that reads opens the chain, without write access', async () => {
    const { status } = await runHere('read', join(folder, 'overlay.qcow2'), '0', '16');
    expect(status).toBe(0);
    expect(opens()).toEqual(
      ['overlay.qcow2', 'base.raw'].map((name) => ({
        call: 'open',
        path: join(folder, name),
        writable: false,
      })),
    );
    expect(spies.map(({ openDisks }) => openDisks)).toEqual([0]);
  });
});
