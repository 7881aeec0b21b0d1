import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { counting } from './support/images.ts';
import { create, describeWithQemu, qemuImg } from './support/qemu.ts';
import { runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

// What is recognised as an image, and not read, is refused by its name: its bytes are no disk. Raw is read where it is asked for.

const folder = tempFolder();
const at = (name: string): string => join(folder, name);

const WAYS = [
  ['info'],
  ['info', '--backing-chain'],
  ['probe'],
  ['tree'],
  ['map'],
  ['digest'],
  ['read', 'IMAGE', '0', '512'],
  ['convert', '-O', 'raw', 'IMAGE', 'OUT'],
  ['compare', 'IMAGE', 'IMAGE'],
  ['measure', '-O', 'qcow2'],
] as const;

async function expectRefused(image: string, title: RegExp): Promise<void> {
  for (const way of WAYS) {
    const args = way.map((part) => (part === 'IMAGE' ? image : part === 'OUT' ? at('out.raw') : part));
    if (!args.includes(image)) args.push(image);
    const { status, stderr } = await runHere(...args);
    expect([way[0], status === 0]).toEqual([way[0], false]);
    expect(stderr).toMatch(
      /^diskstack: ERR_(UNSUPPORTED|IO): .*recognised but not supported; declare the format raw/,
    );
    expect(stderr).toMatch(title);
  }
}

describeWithQemu('an image that qemu-img makes and that is not read', () => {
  const FORMATS = [
    ['vmdk', [], /VMDK/],
    ['vmdk', ['-o', 'subformat=twoGbMaxExtentSparse'], /descriptor of a VMDK/],
    ['vdi', [], /VDI/],
    ['vpc', [], /VHD/],
    ['vpc', ['-o', 'subformat=fixed,force_size=on'], /VHD/],
    ['vhdx', [], /VHDX/],
    ['qed', [], /QED/],
    ['parallels', [], /Parallels/],
  ] as const;

  beforeAll(() => {
    writeFileSync(at('content.raw'), counting(2 * 1024 * 1024));
  });

  test.for(FORMATS)('%s %j', async ([format, options, title]) => {
    const image = at(`image-${format}${options.length}.img`);
    qemuImg(folder, 'convert', '-f', 'raw', '-O', format, ...options, 'content.raw', image);
    await expectRefused(image, title);

    const { status, stdout } = await runHere('digest', '-f', 'raw', image);
    expect(status).toBe(0);
    expect(stdout.toString()).toMatch(/^[0-9a-f]{64} /);
  });

  test('as a base whose format is not recorded', async () => {
    qemuImg(folder, 'convert', '-f', 'raw', '-O', 'vmdk', 'content.raw', at('base.vmdk'));
    create(folder, 'overlay.qcow2', 'qcow2', '2M', { backing: ['content.raw', 'raw'] });
    const image = readFileSync(at('overlay.qcow2'));
    const extension = image.indexOf(Buffer.from([0xe2, 0x79, 0x2a, 0xca]));
    image.writeUInt32BE(0x12345678, extension);
    image.write('base.vmdk\0\0', image.indexOf('content.raw'), 'latin1');
    image.writeUInt32BE('base.vmdk'.length, 16);
    writeFileSync(at('overlay.qcow2'), image);
    const { status, stderr } = await runHere('read', at('overlay.qcow2'), '0', '512');
    expect(status).toBe(1);
    expect(stderr).toMatch(/ERR_UNSUPPORTED: \[.*base\.vmdk\] the disk is a VMDK image/);
  });
});

describe('a file of another kind', () => {
  const bytes = counting(64 * 1024);
  test.for([
    ['gzip', gzipSync(bytes), /compressed by gzip/],
    ['xz', Buffer.concat([Buffer.from('\xfd7zXZ\0', 'latin1'), bytes]), /compressed by xz/],
    ['bzip2', Buffer.concat([Buffer.from('BZh91AY&SY'), bytes]), /compressed by bzip2/],
    ['zstd', Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), bytes]), /compressed by zstd/],
    ['LUKS', Buffer.concat([Buffer.from('LUKS\xba\xbe\0\x01', 'latin1'), bytes]), /LUKS/],
    ['tar', Buffer.concat([Buffer.alloc(257), Buffer.from('ustar'), bytes]), /tar archive/],
    ['dmg', Buffer.concat([bytes, Buffer.from('koly'), Buffer.alloc(508)]), /Apple disk image/],
    ['E01', Buffer.concat([Buffer.from('EVF\x09\x0d\x0a\xff\0', 'latin1'), bytes]), /EnCase/],
    ['a descriptor', Buffer.from('# Disk DescriptorFile\nversion=1\nCID=1\n'), /descriptor of a VMDK/],
  ] as const)('%s', async ([name, content, title]) => {
    const image = at(`file-${name.replace(' ', '-')}`);
    writeFileSync(image, content);
    await expectRefused(image, title);
    copyFileSync(image, `${image}.copy`);
    const { status } = await runHere('compare', '-f', 'raw', '-F', 'raw', image, `${image}.copy`);
    expect(status).toBe(0);
  });

  test('bytes that no format claims are raw', async () => {
    writeFileSync(at('plain.raw'), bytes);
    expect((await runHere('info', at('plain.raw'))).stdout.toString()).toContain('file format: raw');
  });
});
