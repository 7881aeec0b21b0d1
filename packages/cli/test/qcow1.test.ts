import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { counting } from './support/images.ts';
import { describeWithQemu, encryptedArgs, PASSPHRASE, qemuImg } from './support/qemu.ts';
import { runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

const folder = tempFolder();
const at = (name: string): string => join(folder, name);

describeWithQemu('convert to version 1', () => {
  test.each([[[]], [['-c']], [['-B', 'base.raw', '-F', 'raw']]])(
    '%j: qemu-img reads the same',
    async (flags) => {
      writeFileSync(at('in.raw'), counting(3 << 20));
      writeFileSync(at('base.raw'), counting(1 << 20));
      const { status, stderr } = await runHere(
        'convert',
        '-f',
        'raw',
        '-O',
        'qcow',
        ...flags,
        at('in.raw'),
        at('out.qcow'),
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const compared = qemuImg(folder, 'compare', '-f', 'raw', '-F', 'qcow', 'in.raw', 'out.qcow');
      expect(compared).toBe('Images are identical.\n');
    },
  );

  test('encrypted by AES: qemu-img reads it with the key', async () => {
    writeFileSync(at('in.raw'), counting(1 << 20));
    writeFileSync(at('key'), PASSPHRASE);
    const options = ['-O', 'qcow', '-o', 'encrypt.format=aes', '--secret', `file=${at('key')}`];
    const { status, stderr } = await runHere(
      'convert',
      '-f',
      'raw',
      ...options,
      at('in.raw'),
      at('secret.qcow'),
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    qemuImg(folder, 'convert', ...encryptedArgs('secret.qcow', 'qcow'), '-O', 'raw', 'back.raw');
    expect(qemuImg(folder, 'compare', '-f', 'raw', '-F', 'raw', 'in.raw', 'back.raw')).toContain('identical');
  });
});
