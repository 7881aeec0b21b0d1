import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  createEncrypted,
  describeWithQemu,
  encryptedArgs,
  encryptedIo,
  PASSPHRASE,
  qemuImg,
} from './support/qemu.ts';
import { finished, start } from './support/run-cli.ts';
import { runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

const folder = tempFolder();
const inFolder = (name: string): string => join(folder, name);
const secret = ['--secret', `file=${inFolder('key')}`];

beforeAll(() => {
  writeFileSync(inFolder('key'), `${PASSPHRASE}\n`);
  writeFileSync(inFolder('wrong'), 'another secret that nobody sees');
  process.env.DISKSTACK_TEST_KEY = PASSPHRASE;
});
afterAll(() => {
  delete process.env.DISKSTACK_TEST_KEY;
});

/** The run ends with one line that names the code and none of the secrets. */
async function refused(code: string, args: readonly string[], says: RegExp = /./): Promise<void> {
  const { status, stdout, stderr } = await runHere(...args);
  expect(stderr).toMatch(new RegExp(`^diskstack: ${code}: .+\n$`));
  expect(stderr).toMatch(says);
  expect(stderr).not.toMatch(/secret that/);
  expect({ status, stdout: stdout.toString() }).toEqual({ status: 1, stdout: '' });
}

const images = [
  ['luks.qcow2', 'qcow2', 'luks', ''],
  ['small.qcow2', 'qcow2', 'luks', ',cluster_size=4k,encrypt.cipher-alg=aes-128,encrypt.hash-alg=sha1'],
  [
    'essiv.qcow2',
    'qcow2',
    'luks',
    ',encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha256',
  ],
  ['aes.qcow2', 'qcow2', 'aes', ''],
  ['aes.qcow', 'qcow', 'aes', ''],
] as const;

describeWithQemu('an encrypted image', () => {
  for (const [name, format, kind, options] of images) {
    createEncrypted(folder, name, format, kind, '3M', options);
    encryptedIo(folder, name, format, 'write -P 1 0 100k', 'write -P 2 1M 64k', 'write -P 3 2500k 3k');
    qemuImg(folder, 'convert', '-O', 'raw', ...encryptedArgs(name, format), `${name}.raw`);
  }

  it.for(images)('%s converts, reads and compares as qemu-img has it', async ([name]) => {
    const image = inFolder(name);
    const plain = readFileSync(`${image}.raw`);
    expect((await runHere('convert', ...secret, image, inFolder('out'))).stderr).toBe('');
    expect(readFileSync(inFolder('out')).equals(plain)).toBe(true);
    const read = await runHere('read', '--raw', ...secret, image, '100000', '1000000');
    expect(read.stdout.equals(plain.subarray(100_000, 1_100_000))).toBe(true);
    const compared = await runHere('compare', ...secret, image, `${image}.raw`);
    expect(compared).toMatchObject({ status: 0, stderr: '' });
  });

  it.for(images)('%s has the map of qemu-img', async ([name, format]) => {
    const expected = qemuImg(folder, 'map', '--output', 'json', ...encryptedArgs(inFolder(name), format));
    const { stdout } = await runHere('map', '--output', 'json', ...secret, inFolder(name));
    expect(JSON.parse(stdout.toString())).toEqual(JSON.parse(expected));
  });

  it('under another one is opened with the same secret', async () => {
    const backing = ',backing_file=luks.qcow2,backing_fmt=qcow2';
    createEncrypted(folder, 'over.qcow2', 'qcow2', 'luks', '3M', backing, '-u');
    const compared = await runHere('compare', ...secret, inFolder('over.qcow2'), inFolder('luks.qcow2.raw'));
    expect(compared).toMatchObject({ status: 0, stderr: '' });
    const chain = await runHere('info', '--backing-chain', ...secret, inFolder('over.qcow2'));
    expect(chain.stdout.toString().match(/^encrypted: yes$/gm)).toHaveLength(2);
  });

  it.for(['map', 'convert', 'compare', 'read'])(
    'is refused without a key, and %s says how',
    async (command) => {
      const operands = { map: [], convert: [inFolder('x')], compare: [inFolder('key')], read: ['0', '1'] };
      const { status, stderr } = await runHere(
        command,
        inFolder('luks.qcow2'),
        ...operands[command as 'map'],
      );
      expect(stderr).toMatch(/^diskstack: ERR_WRONG_KEY: .+\(--secret file=PATH or .+\)\n$/);
      expect(status).toBe(command === 'compare' ? 2 : 1);
    },
  );

  it('is refused with a wrong key', async () => {
    const wrong = ['--secret', `file=${inFolder('wrong')}`];
    await refused('ERR_WRONG_KEY', ['read', ...wrong, inFolder('luks.qcow2'), '0', '1']);
    const { stderr } = await runHere('read', '--debug', ...wrong, inFolder('luks.qcow2'), '0', '1');
    expect(stderr).toMatch(/ {4}at /);
    expect(stderr).not.toMatch(/secret that/);
  });

  it.for(['info', 'check', 'snapshot', 'bitmaps', 'probe'])('needs no key for %s', async (command) => {
    const { status, stderr } = await runHere(command, inFolder('luks.qcow2'));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('takes the key from the environment, and from a pipe', async () => {
    const image = inFolder('luks.qcow2');
    const read = await runHere('read', '--secret', 'env=DISKSTACK_TEST_KEY', image, '0', '1');
    expect(read.stdout.toString()).toMatch(/^00000000 {2}01 /);
    if (process.platform !== 'linux') return;
    spawnSync('mkfifo', [inFolder('pipe')]);
    const run = finished(start(['read', '--secret', 'file=pipe', 'luks.qcow2', '0', '1'], folder));
    spawnSync('sh', ['-c', 'exec cat key > pipe'], { cwd: folder });
    expect((await run).stdout.toString()).toMatch(/^00000000 {2}01 /);
  });

  it('cuts one line feed from the end of a file, and no more', async () => {
    writeFileSync(inFolder('two-lines'), `${PASSPHRASE}\n\n`);
    writeFileSync(inFolder('no-line'), PASSPHRASE);
    const image = inFolder('luks.qcow2');
    await refused('ERR_WRONG_KEY', ['read', '--secret', `file=${inFolder('two-lines')}`, image, '0', '1']);
    const { status } = await runHere('read', '--secret', `file=${inFolder('no-line')}`, image, '0', '1');
    expect(status).toBe(0);
  });

  it('never shows a secret that was given in the wrong way', async () => {
    const image = inFolder('luks.qcow2');
    for (const said of [PASSPHRASE, `key=${PASSPHRASE}`, `FILE=${PASSPHRASE}`])
      await refused('ERR_ARGUMENT', ['read', '--secret', said, image, '0', '1'], /file=PATH or env=NAME/);
    await refused('ERR_ARGUMENT', ['read', ...secret, '--secret', PASSPHRASE, image, '0', '1'], /twice/);
    await refused('ERR_ARGUMENT', ['read', '--secret', `env=${PASSPHRASE}`, image, '0', '1']);
  });

  it('tells of a secret file that is not there, no file or endless', async () => {
    const image = inFolder('luks.qcow2');
    const from = (path: string): string[] => ['read', '--secret', `file=${path}`, image, '0', '1'];
    await refused('ERR_NOT_FOUND', from(inFolder('nope')), /nope/);
    await refused('ERR_IO', from(folder), /EISDIR/);
    if (process.platform === 'linux') await refused('ERR_LIMIT', from('/dev/zero'));
  });
});
