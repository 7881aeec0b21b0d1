import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  createEncrypted,
  describeWithQemu,
  encryptedIo,
  PASSPHRASE,
  qemuImg,
  tryQemuImg,
} from '../support/qemu.ts';
import { runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
const at = (name: string): string => join(folder, name);

const NEW = 'another one';
const OBJECTS = [
  ...['--object', `secret,id=old,data=${PASSPHRASE}`],
  ...['--object', `secret,id=new,data=${NEW}`],
  ...['--object', 'secret,id=wrong,data=none of them'],
];
const opts = (name: string, id: string): string[] => [
  '--image-opts',
  `driver=qcow2,file.filename=${at(name)},encrypt.key-secret=${id}`,
];

/** `amend`, with the key of an id. */
function amend(name: string, id: string, o: string, ...flags: string[]) {
  return runHere('amend', ...OBJECTS, ...flags, '-o', o, ...opts(name, id));
}

/** What a passphrase reads: by qemu and by us. */
async function readsWith(name: string, id: string): Promise<readonly boolean[]> {
  const theirs = tryQemuImg(folder, 'convert', '-O', 'raw', ...OBJECTS, ...opts(name, id), at('theirs.raw'));
  const ours = await runHere('read', '--raw', ...OBJECTS, ...opts(name, id), '0', '1');
  if (theirs.status === 0) expect(readFileSync(at('theirs.raw'))[0]).toBe(0x2a);
  if (ours.status === 0) expect(ours.stdout[0]).toBe(0x2a);
  return [theirs.status === 0, ours.status === 0];
}

function activeSlots(name: string): readonly number[] {
  const info = JSON.parse(qemuImg(folder, 'info', '--output=json', name));
  const slots: readonly { active: boolean }[] = info['format-specific'].data.encrypt.slots;
  return slots.flatMap(({ active }, index) => (active ? [index] : []));
}

describeWithQemu('amend changes key slots as qemu-img amend does', () => {
  createEncrypted(folder, 'luks.qcow2', 'qcow2', 'luks', '1M');
  encryptedIo(folder, 'luks.qcow2', 'qcow2', 'write -P 0x2a 0 64k');
  let count = 0;
  const image = (from = 'luks.qcow2'): string => {
    const name = `${++count}.qcow2`;
    copyFileSync(at(from), at(name));
    return name;
  };
  const ADD = 'encrypt.state=active,encrypt.new-secret=new,encrypt.iter-time=10';

  test('a second passphrase, and the first one is erased', async () => {
    const name = image();
    expect((await amend(name, 'old', ADD)).stderr).toBe('');
    expect(activeSlots(name)).toEqual([0, 1]);
    expect(await readsWith(name, 'old')).toEqual([true, true]);
    expect(await readsWith(name, 'new')).toEqual([true, true]);
    expect((await amend(name, 'new', 'encrypt.state=inactive,encrypt.old-secret=old')).stderr).toBe('');
    expect(activeSlots(name)).toEqual([1]);
    expect(await readsWith(name, 'old')).toEqual([false, false]);
    expect(await readsWith(name, 'new')).toEqual([true, true]);
    expect(tryQemuImg(folder, 'check', ...OBJECTS, ...opts(name, 'new')).status).toBe(0);
  });

  test('a slot by its number', async () => {
    const name = image();
    expect((await amend(name, 'old', `${ADD},encrypt.keyslot=5`)).stderr).toBe('');
    expect(activeSlots(name)).toEqual([0, 5]);
    expect(await readsWith(name, 'new')).toEqual([true, true]);
    expect((await amend(name, 'new', 'encrypt.state=inactive,encrypt.keyslot=0')).stderr).toBe('');
    expect(activeSlots(name)).toEqual([5]);
  });

  test('a slot that qemu-img adds opens, and is erased', async () => {
    const name = image();
    qemuImg(folder, 'amend', ...OBJECTS, '-o', ADD, ...opts(name, 'old'));
    expect(await readsWith(name, 'new')).toEqual([true, true]);
    expect((await amend(name, 'old', 'encrypt.state=inactive,encrypt.old-secret=new')).stderr).toBe('');
    expect(await readsWith(name, 'new')).toEqual([false, false]);
    expect(await readsWith(name, 'old')).toEqual([true, true]);
  });

  test('all slots', async () => {
    const name = image();
    for (let slot = 1; slot < 8; slot++) expect((await amend(name, 'old', ADD)).status).toBe(0);
    const { status, stderr } = await amend(name, 'old', ADD);
    expect(status).toBe(1);
    expect(stderr).toContain('in use');
    expect((await amend(name, 'old', 'encrypt.state=inactive,encrypt.old-secret=new')).status).toBe(0);
    expect(activeSlots(name)).toEqual([0]);
  });

  test.each([
    ['the last slot', 'old', 'encrypt.state=inactive,encrypt.keyslot=0', 'would be left'],
    ['the last passphrase', 'old', 'encrypt.state=inactive,encrypt.old-secret=old', 'would be left'],
    ['a slot in use', 'old', `${ADD},encrypt.keyslot=0`, 'in use'],
    ['a slot that is not in use', 'old', 'encrypt.state=inactive,encrypt.keyslot=3', 'not in use'],
    ['a slot that is not there', 'old', `${ADD},encrypt.keyslot=8`, '0 to 7'],
    ['a passphrase that opens nothing', 'wrong', ADD, 'ERR_WRONG_KEY'],
    [
      'an erased passphrase that opens nothing',
      'old',
      'encrypt.state=inactive,encrypt.old-secret=wrong',
      'ERR_WRONG_KEY',
    ],
    ['no new passphrase', 'old', 'encrypt.state=active', 'new passphrase'],
    [
      'a new passphrase for an erased slot',
      'old',
      'encrypt.state=inactive,encrypt.keyslot=0,encrypt.new-secret=new',
      'no new',
    ],
    ['an id that no object has', 'old', 'encrypt.state=active,encrypt.new-secret=nobody', '"nobody"'],
    ['neither slot nor passphrase', 'old', 'encrypt.state=inactive', 'which key slot'],
  ])('%s is refused, and nothing changes', async (_, id, o, reason) => {
    const name = image();
    const before = readFileSync(at(name));
    const { status, stderr } = await amend(name, id, o);
    expect(status).toBe(1);
    expect(stderr).toContain(reason);
    expect(stderr).not.toContain(NEW);
    expect(stderr).not.toContain(PASSPHRASE);
    expect(readFileSync(at(name)).equals(before)).toBe(true);
  });

  test('--force erases the last one', async () => {
    const name = image();
    expect((await amend(name, 'old', 'encrypt.state=inactive,encrypt.keyslot=0', '--force')).stderr).toBe('');
    expect(activeSlots(name)).toEqual([]);
    expect(await readsWith(name, 'old')).toEqual([false, false]);
  });

  test('--force replaces one in use', async () => {
    const name = image();
    expect((await amend(name, 'old', `${ADD},encrypt.keyslot=0`, '--force')).stderr).toBe('');
    expect(activeSlots(name)).toEqual([0]);
    expect(await readsWith(name, 'old')).toEqual([false, false]);
    expect(await readsWith(name, 'new')).toEqual([true, true]);
  });
});
