import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { renameBacking } from './support/qcow2-bytes.ts';
import { create, createEncrypted, describeWithQemu, qemuImg } from './support/qemu.ts';
import { runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

const folder = tempFolder();
const images = join(folder, 'images');
const outside = join(folder, 'outside');
const canary = join(outside, 'canary');

/** What must never be seen. Longer than any line of a dump would break it into, and in every block of the file. */
const SONG = 'tweet-5c1f0a';
const SONG_IN_HEX = Buffer.from(SONG).toString('hex').replaceAll(/../g, '$& ').trim();

mkdirSync(images);
mkdirSync(outside);
writeFileSync(canary, SONG.repeat(20_000));
writeFileSync(join(images, 'sibling.raw'), SONG.repeat(20_000));
symlinkSync(canary, join(images, 'link.raw'));
symlinkSync('../outside/canary', join(images, 'relative-link.raw'));
symlinkSync(outside, join(images, 'folder-link'));

/** Names by which an image may try to reach the canary. */
const names = [
  canary,
  `//${canary}`,
  '../outside/canary',
  './../images/../outside/canary',
  'link.raw',
  'relative-link.raw',
  'folder-link/canary',
  'folder-link/../outside/canary',
  `file:${canary}`,
  `file://${canary}`,
  'file:../outside/canary',
  `FILE:${canary}`,
  `json:{"driver":"raw","file":{"driver":"file","filename":"${canary}"}}`,
  `json:{"file.filename":"${canary}"}`,
  `nbd:unix:${canary}`,
  'nbd://localhost:10809/canary',
  'http://localhost/canary',
  `fat:${outside}`,
  `fat:rw:${outside}`,
  `host_device:${canary}`,
  `raw:${canary}`,
  `${canary}\0`,
  `sibling.raw\0/../../outside/canary`,
  '..%2foutside%2fcanary',
  '%2e%2e/outside/canary',
  `file:%2f${canary.slice(1)}`,
];

function imageNaming(name: string, image: string): string {
  const path = join(images, image);
  const bytes = Buffer.from(name);
  create(images, image, 'qcow2', '1M', { backing: ['x'.repeat(bytes.length), 'raw'] });
  renameBacking(path, bytes);
  return path;
}

/** What each command says and writes about the image. */
async function everything(image: string, ...options: string[]): Promise<{ said: string; statuses: unknown }> {
  const written = join(folder, 'written');
  rmSync(written, { force: true });
  const said: string[] = [];
  const statuses: Record<string, number | null> = {};
  for (const [command = '', ...rest] of [
    ['info', image],
    ['info', image, '--backing-chain', '--output', 'json', ...options],
    ['probe', image],
    ['inspect', image],
    ['check', image],
    ['snapshot', image],
    ['bitmaps', image],
    ['map', image, '--debug', ...options],
    ['read', image, '0', '1k', ...options],
    ['convert', image, written, ...options],
    ['compare', image, image, ...options],
  ]) {
    const { status, stdout, stderr } = await runHere(command, ...rest);
    said.push(stdout.toString('latin1'), stderr);
    statuses[command] = status;
  }
  try {
    said.push(readFileSync(written, 'latin1'));
  } catch {
    // nothing was written
  }
  return { said: said.join('\n'), statuses };
}

function expectSilence(said: string): void {
  expect(said.includes(SONG)).toBe(false);
  expect(said.includes(SONG_IN_HEX.slice(0, 20))).toBe(false); // half a line of a dump
}

const REFUSED = { map: 1, read: 1, convert: 1, compare: 2 };

describeWithQemu('a file outside of the folder of an image', () => {
  it.for(names)('is never seen by the backing name %j', async (name) => {
    const { said, statuses } = await everything(imageNaming(name, 'thief.qcow2'));
    expectSilence(said);
    expect(statuses).toMatchObject(REFUSED);
  });

  it('is never seen by a name of version 1', async () => {
    for (const name of [canary, '../outside/canary', 'link.raw', `file:${canary}`]) {
      create(images, 'thief.qcow', 'qcow', '1M', { backing: [name, 'raw'] });
      const { said, statuses } = await everything(join(images, 'thief.qcow'));
      expectSilence(said);
      expect(statuses).toMatchObject({ ...REFUSED, check: 63 }); // version 1 has no check
    }
  });

  it.for([canary, '../outside/canary', 'link.raw', 'folder-link/canary', `file:${canary}`])(
    'is never seen by the name of a data file: %s',
    async (name) => {
      const placeholder = join(folder, 'd').padEnd(Buffer.byteLength(name), 'd');
      const path = join(images, 'external.qcow2');
      create(folder, 'images/external.qcow2', 'qcow2', '1M', {
        o: `data_file=${placeholder},data_file_raw=on`,
      });
      const bytes = readFileSync(path);
      const at = bytes.indexOf(placeholder);
      bytes.write(name.padEnd(placeholder.length, '\0'), at);
      bytes.writeUInt32BE(Buffer.byteLength(name), at - 4); // the length of the extension
      writeFileSync(path, bytes);
      const { said, statuses } = await everything(path);
      expectSilence(said);
      expect(statuses).toMatchObject(REFUSED);
    },
  );

  it('is never seen from an image that the first one names', async () => {
    imageNaming('../outside/canary', 'second.qcow2');
    create(images, 'first.qcow2', 'qcow2', '1M', { backing: ['second.qcow2', 'qcow2'] });
    const { said, statuses } = await everything(join(images, 'first.qcow2'));
    expectSilence(said);
    expect(statuses).toMatchObject(REFUSED);
  });

  it('is seen where the caller allows its folder, so that the tests above can fail', async () => {
    const { said, statuses } = await everything(
      imageNaming(canary, 'thief.qcow2'),
      '--allow-backing',
      outside,
    );
    expect(said).toContain(SONG);
    expect(said).toContain(SONG_IN_HEX.slice(0, 20));
    expect(statuses).toMatchObject({ map: 0, read: 0, convert: 0, compare: 0 });
  });
});

describeWithQemu('--untrusted', () => {
  it('opens not even a file beside the image', async () => {
    const image = imageNaming('sibling.raw', 'thief.qcow2');
    expect((await everything(image)).said).toContain(SONG);
    const { said, statuses } = await everything(image, '--untrusted');
    expectSilence(said);
    expect(statuses).toMatchObject(REFUSED);
    const both = await everything(image, '--untrusted', '--allow-backing', images);
    expectSilence(both.said);
  });
});

describeWithQemu('names from images', () => {
  const hostile = 'a\u001b[2J\u202eb\u0007\u2066c\u200f';
  const image = join(images, 'hostile.qcow2');
  writeFileSync(join(images, hostile), 'data');
  create(images, 'hostile.qcow2', 'qcow2', '1M', { backing: [hostile, 'raw'] });
  qemuImg(images, 'snapshot', '-c', hostile, 'hostile.qcow2');
  qemuImg(images, 'bitmap', '--add', 'hostile.qcow2', hostile);

  it.for([
    ['info', image],
    ['info', '--backing-chain', image],
    ['snapshot', image],
    ['bitmaps', image],
    ['inspect', image],
    ['check', image],
    ['map', image],
  ])('are escaped in the output of %j', async (args) => {
    for (const how of ['human', 'json']) {
      const { stdout, stderr } = await runHere(...args, '--output', how);
      expect(stdout.toString()).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
      expect(stderr).toBe('');
    }
  });

  it.for([
    ['map', '--untrusted', image],
    ['map', '--debug', '--untrusted', image],
    ['read', '--snapshot', hostile, '--untrusted', image, '0', '1'],
    ['read', '--snapshot', 'nope', image, '0', '1'],
    ['bitmaps', image, `${hostile}!`],
    ['info', `${image}${hostile}`],
    ['inspect', '-f', hostile, image],
  ])('are escaped in the error of %j', async (args) => {
    const { status, stderr } = await runHere(...args);
    expect(stderr).toMatch(/^diskstack: ERR_/);
    expect(stderr).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    expect(status).toBe(1);
  });

  it('are escaped where the image cannot be opened', async () => {
    createEncrypted(images, 'locked.qcow2', 'qcow2', 'luks', '1M');
    const { stderr } = await runHere('map', join(images, 'locked.qcow2'));
    expect(stderr).toMatch(/^diskstack: ERR_WRONG_KEY: .+\n$/);
  });
});
