import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  create,
  createEncrypted,
  describeWithQemu,
  encryptedIo,
  PASSPHRASE,
  qemuImg,
  qemuIo,
} from '../support/qemu.ts';
import { jsonOf, runHere } from '../support/run-here.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
const at = (name: string): string => join(folder, name);

/** A raw file of 1 MiB whose sector N has the byte N. */
const sectors = Uint8Array.from({ length: 1 << 20 }, (_, index) => (index >> 9) & 0xff);
writeFileSync(at('sectors.raw'), sectors);

async function read(offset: number, length: number, ...source: string[]): Promise<Buffer> {
  const { status, stdout, stderr } = await runHere(
    'read',
    '--raw',
    ...source,
    String(offset),
    String(length),
  );
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

async function refusal(...args: string[]): Promise<string> {
  const { status, stderr } = await runHere(...args);
  expect(status).not.toBe(0);
  return stderr;
}

describe('an image that is described by its caller', () => {
  const file = at('sectors.raw');
  const json = (value: unknown): string => `json:${JSON.stringify(value)}`;

  test.each([
    ['a file', ['--image-opts', `driver=raw,file.driver=file,file.filename=${file}`], 0, 1 << 20],
    ['the file alone', ['--image-opts', `driver=file,filename=${file}`], 0, 1 << 20],
    ['probed', ['--image-opts', `file.filename=${file}`], 0, 1 << 20],
    ['a part', ['--image-opts', `driver=raw,offset=1k,size=2k,file.filename=${file}`], 1024, 2048],
    [
      'from an offset on',
      ['--image-opts', `driver=raw,offset=0x400,file.filename=${file}`],
      1024,
      (1 << 20) - 1024,
    ],
    [
      'JSON',
      [json({ driver: 'raw', offset: 512, size: 1024, file: { driver: 'file', filename: file } })],
      512,
      1024,
    ],
    ['JSON with dotted names', [json({ driver: 'raw', 'file.filename': file })], 0, 1 << 20],
    [
      'a part of a part',
      [
        json({
          driver: 'raw',
          offset: 512,
          file: { driver: 'raw', offset: 1024, size: 2048, file: { filename: file } },
        }),
      ],
      1536,
      1536,
    ],
    ['file:', [`file:${file}`], 0, 1 << 20],
    [
      'without effect',
      [json({ driver: 'raw', file: { filename: file, locking: false }, 'force-share': true })],
      0,
      1 << 20,
    ],
  ])('%s', async (_, source, from, length) => {
    expect(await jsonOf('info', ...source)).toMatchObject({ format: 'raw', 'virtual-size': length });
    const found = await read(0, length, ...source);
    expect(found.equals(Buffer.from(sectors.subarray(from, from + length)))).toBe(true);
  });

  test.each([
    ['an option that is not known', `driver=raw,file.filename=${file},foo=1`, '"foo"'],
    ['one of the file', `driver=raw,file.filename=${file},file.foo=1`, '"file.foo"'],
    ['an offset of another format', `driver=qcow2,offset=512,file.filename=${file}`, '"offset"'],
    ['no file', 'driver=raw', 'file.filename'],
    ['a protocol', 'driver=raw,file.driver=nbd,file.host=localhost', '"nbd"'],
    ['a path', file, 'KEY=VALUE'],
    ['a key twice', `driver=raw,driver=raw,file.filename=${file}`, 'twice'],
    ['a size of no whole sector', `driver=raw,size=100,file.filename=${file}`, '512'],
    ['a part past the end', `driver=raw,offset=2M,file.filename=${file}`, 'does not fit'],
    [
      'no base to replace',
      `driver=raw,file.filename=${file},backing.file.filename=${file}`,
      'no backing file',
    ],
    [
      'a secret that is not there',
      `driver=raw,file.filename=${file},encrypt.format=luks`,
      '"encrypt.format"',
    ],
  ])('%s is refused by name', async (_, text, reason) => {
    expect(await refusal('info', '--image-opts', text)).toContain(reason);
  });

  test.each([
    ['no JSON', 'json:{', 'not JSON'],
    ['no object', 'json:[]', 'one object'],
    ['null', 'json:{"driver":"raw","backing":null}', '"backing"'],
  ])('%s is refused', async (_, text, reason) => {
    expect(await refusal('info', text)).toContain(reason);
  });

  test('a format beside --image-opts is refused', async () => {
    expect(await refusal('info', '-f', 'raw', '--image-opts', `driver=raw,file.filename=${file}`)).toContain(
      '--format',
    );
  });

  test('a part is written, and nothing beside it', async () => {
    writeFileSync(at('part.raw'), sectors);
    const opts = `driver=raw,offset=1024,size=1024,file.filename=${at('part.raw')}`;
    const wrote = await runHere('write', '--pattern', '0xee', '--length', '1k', '--image-opts', opts, '0');
    expect(wrote.status).toBe(0);
    const now = readFileSync(at('part.raw'));
    expect(now.subarray(1024, 2048).every((byte) => byte === 0xee)).toBe(true);
    now.set(sectors.subarray(1024, 2048), 1024);
    expect(now.equals(Buffer.from(sectors))).toBe(true);
  });

  test('read-only=on refuses writes', async () => {
    const opts = `driver=raw,read-only=on,file.filename=${file}`;
    expect(await refusal('write', '--zeroes', '--length', '512', '--image-opts', opts, '0')).toContain(
      'ERR_READ_ONLY',
    );
  });

  test('two parts of one file are two images', async () => {
    const part = (offset: number): string => `driver=raw,offset=${offset},size=512,file.filename=${file}`;
    const same = await runHere('compare', '--image-opts', part(0), part(0));
    const other = await runHere('compare', '--image-opts', part(0), part(512));
    expect([same.status, other.status]).toEqual([0, 1]);
  });

  test('one parser serves images that are read and images that are written', async () => {
    for (const [args, name] of [
      [['create', '-q', `file:${at('made.raw')}`, '1M'], 'made.raw'],
      [['convert', '-f', 'raw', `file:${file}`, `file:${at('out.raw')}`], 'out.raw'],
      [
        [
          'convert',
          '-f',
          'raw',
          file,
          `json:{"driver":"raw","file":{"driver":"file","filename":"${at('js.raw')}"}}`,
        ],
        'js.raw',
      ],
    ] as const) {
      expect((await runHere(...args)).status).toBe(0);
      expect(readFileSync(at(name)).length).toBe(1 << 20);
    }
  });

  test('every command that opens an image accepts the options of opening, also those without effect', async () => {
    const flags = [
      '--allow-backing',
      folder,
      '--allow-scheme',
      'file',
      '--untrusted',
      '--limit',
      'maxBitmaps=9',
      '--max-chain-depth',
      '7',
    ];
    for (const command of ['info', 'map', 'probe', 'inspect', 'digest', 'measure', 'snapshot', 'tree'])
      expect([command, (await runHere(command, ...flags, file)).stderr]).toEqual([command, '']);
    expect((await runHere('compare', ...flags, file, file)).status).toBe(0);
    for (const command of [
      'check',
      'bitmaps',
      'rebase',
      'commit',
      'resize',
      'bitmap',
      'amend',
      'discard',
      'write',
      'create',
      'convert',
    ]) {
      const { stdout } = await runHere(command, '--help');
      for (const flag of flags.filter((text) => text.startsWith('--')))
        expect(stdout.toString()).toContain(flag);
    }
  });
});

describeWithQemu('an image of a chain that is described by its caller', () => {
  test('backing.* takes the place of the base that the image names', async () => {
    for (const [name, byte] of [
      ['one', 1],
      ['two', 2],
    ] as const) {
      create(folder, `${name}.raw`, 'raw', '1M');
      qemuIo(folder, `${name}.raw`, 'raw', `write -P ${byte} 0 1M`);
    }
    qemuImg(folder, 'convert', '-O', 'qcow2', 'two.raw', 'two.qcow2');
    create(folder, 'over.qcow2', 'qcow2', '1M', { backing: ['one.raw', 'raw'] });
    const opts = (base: string): string[] => [
      '--image-opts',
      `driver=qcow2,file.filename=${at('over.qcow2')},${base}`,
    ];
    expect((await read(0, 1, at('over.qcow2')))[0]).toBe(1);
    const files: [string, string][] = [
      ['raw', 'two.raw'],
      ['qcow2', 'two.qcow2'],
    ];
    for (const [driver, name] of files) {
      const source = opts(`backing.driver=${driver},backing.file.filename=${at(name)}`);
      expect((await read(0, 1, ...source))[0]).toBe(2);
      const chain = await jsonOf('info', '--backing-chain', ...source);
      expect(chain).toMatchObject([{ format: 'qcow2' }, { format: driver }]);
      const denied = await runHere('read', '--raw', '--untrusted', ...source, '0', '1');
      expect(denied.stdout[0]).toBe(2); // it is named by the caller, not by the image
    }
  });

  test('a qcow2 image inside of a file', async () => {
    create(folder, 'inner.qcow2', 'qcow2', '1M');
    qemuIo(folder, 'inner.qcow2', 'qcow2', 'write -P 77 0 64k');
    const inner = readFileSync(at('inner.qcow2'));
    writeFileSync(at('outer.bin'), Buffer.concat([Buffer.alloc(4096), inner]));
    const spec = {
      driver: 'qcow2',
      file: { driver: 'raw', offset: 4096, file: { filename: at('outer.bin') } },
    };
    expect((await read(0, 1, `json:${JSON.stringify(spec)}`))[0]).toBe(77);
  });

  test('commit of an image inside of a file leaves the rest of the file alone', async () => {
    create(folder, 'under.qcow2', 'qcow2', '1M');
    create(folder, 'layer.qcow2', 'qcow2', '1M', { backing: [at('under.qcow2'), 'qcow2'] });
    qemuIo(folder, 'layer.qcow2', 'qcow2', 'write -P 78 0 64k');
    writeFileSync(at('around.bin'), Buffer.concat([Buffer.alloc(4096, 1), readFileSync(at('layer.qcow2'))]));
    const before = readFileSync(at('around.bin'));
    const file = { driver: 'raw', offset: 4096, file: { filename: at('around.bin') } };
    const image = `json:${JSON.stringify({ driver: 'qcow2', file })}`;
    expect((await runHere('commit', image)).stderr).toContain('ERR_BACKING_DENIED'); // a part has no folder
    const { status, stderr } = await runHere('commit', '--allow-backing', folder, image);
    expect(status).toBe(0);
    expect(stderr).toContain('part of a file');
    expect(readFileSync(at('around.bin')).equals(before)).toBe(true);
    qemuIo(folder, 'under.qcow2', 'qcow2', 'read -P 78 0 64k');
  });

  test('json: and file: in an image are refused, and file: opens with --allow-scheme', async () => {
    create(folder, 'plain.raw', 'raw', '1M');
    for (const name of ['file:plain.raw', 'json:{"driver":"file","filename":"plain.raw"}']) {
      qemuImg(folder, 'create', '-q', '-u', '-f', 'qcow2', '-b', name, '-F', 'raw', 'schemed.qcow2', '1M');
      expect(await refusal('read', at('schemed.qcow2'), '0', '1')).toContain('--allow-scheme');
    }
    qemuImg(
      folder,
      'create',
      '-q',
      '-u',
      '-f',
      'qcow2',
      '-b',
      'file:plain.raw',
      '-F',
      'raw',
      'schemed.qcow2',
      '1M',
    );
    expect((await read(0, 1, '--allow-scheme', 'file', at('schemed.qcow2')))[0]).toBe(0);
  });

  test('names with a colon are refused where an image would store them, and ./ makes them names', async () => {
    create(folder, './a:b.qcow2', 'qcow2', '1M');
    const make = (name: string): string[] => [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-b',
      name,
      '-F',
      'qcow2',
      at('colon.qcow2'),
    ];
    expect(await refusal(...make('a:b.qcow2'))).toContain('./a:b.qcow2');
    expect((await runHere(...make('./a:b.qcow2'))).status).toBe(0);
    expect(qemuImg(folder, 'info', '--backing-chain', 'colon.qcow2')).toContain('a:b.qcow2');
    expect(await refusal('rebase', '-u', '-b', 'a:b.qcow2', '-F', 'qcow2', at('colon.qcow2'))).toContain(
      './a:b.qcow2',
    );
    const data = ['create', '-q', '-f', 'qcow2', '-o', 'data_file=a:b.data', at('colon2.qcow2'), '1M'];
    expect(await refusal(...data)).toContain('./a:b.data');
    expect(await refusal(...make(''))).toContain('empty');
  });
});

describeWithQemu('secrets', () => {
  const secretArgs = (source: string): string[] => ['--object', `secret,id=s0,${source}`];
  const opts = (id = 's0'): string[] => [
    '--image-opts',
    `driver=qcow2,file.filename=${at('luks.qcow2')},encrypt.key-secret=${id}`,
  ];
  createEncrypted(folder, 'luks.qcow2', 'qcow2', 'luks', '1M');
  encryptedIo(folder, 'luks.qcow2', 'qcow2', 'write -P 99 0 64k');
  writeFileSync(at('exact'), PASSPHRASE);
  writeFileSync(at('with-line-feed'), `${PASSPHRASE}\n`);
  const base64 = Buffer.from(PASSPHRASE).toString('base64');
  writeFileSync(at('base64'), `${base64}\n`);

  test.each([
    ['data', `data=${PASSPHRASE}`],
    ['a file', `file=${at('exact')}`],
    ['base64', `data=${base64},format=base64`],
    ['a file of base64, with a line feed', `file=${at('base64')},format=base64`],
  ])('%s', async (_, source) => {
    expect((await read(0, 1, ...secretArgs(source), ...opts()))[0]).toBe(99);
  });

  test('JSON', async () => {
    const object = JSON.stringify({ 'qom-type': 'secret', id: 's0', data: PASSPHRASE });
    expect((await read(0, 1, '--object', object, ...opts()))[0]).toBe(99);
  });

  test('a line feed at the end of a file is part of the passphrase, as in qemu', async () => {
    const stderr = await refusal('read', ...secretArgs(`file=${at('with-line-feed')}`), ...opts(), '0', '1');
    expect(stderr).toContain('ERR_WRONG_KEY');
  });

  test.each([
    ['another type', 'tls-creds-x509,id=a', 'tls-creds-x509'],
    ['an option that is not known', 'secret,id=a,data=x,keyid=b', '"keyid"'],
    ['no id', 'secret,data=x', 'id'],
    ['neither data nor file', 'secret,id=a', 'either'],
    ['both', 'secret,id=a,data=x,file=y', 'either'],
    ['no base64', 'secret,id=a,data=**,format=base64', 'base64'],
  ])('%s is refused', async (_, object, reason) => {
    const stderr = await refusal('info', '--object', object, at('luks.qcow2'));
    expect(stderr).toContain(reason);
    expect(stderr).not.toContain('data=x');
  });

  test('an id that no object has', async () => {
    expect(await refusal('read', ...secretArgs('data=x'), ...opts('s1'), '0', '1')).toContain('"s1"');
  });

  test('create -o encrypt.key-secret: qemu opens the new image', async () => {
    const made = await runHere(
      'create',
      '-q',
      '-f',
      'qcow2',
      ...secretArgs(`data=${PASSPHRASE}`),
      '-o',
      'encrypt.format=luks,encrypt.key-secret=s0,encrypt.iter-time=10',
      at('made.qcow2'),
      '1M',
    );
    expect(made.stderr).toBe('');
    encryptedIo(folder, 'made.qcow2', 'qcow2', 'write -P 1 0 64k', 'read -P 1 0 64k');
  });

  test('convert into an encrypted image', async () => {
    const made = await runHere(
      'convert',
      '-f',
      'raw',
      '-O',
      'qcow2',
      ...secretArgs(`data=${PASSPHRASE}`),
      '-o',
      'encrypt.format=luks,encrypt.key-secret=s0,encrypt.iter-time=10',
      at('sectors.raw'),
      at('full.qcow2'),
    );
    expect(made.stderr).toBe('');
    encryptedIo(folder, 'full.qcow2', 'qcow2', 'read -P 1 512 512', 'read -P 3 1536 512');
  });

  test('info --backing-chain of an encrypted image needs no key; reading does', async () => {
    qemuImg(
      folder,
      'create',
      '-q',
      '-u',
      '-f',
      'qcow2',
      '-b',
      'luks.qcow2',
      '-F',
      'qcow2',
      'on-luks.qcow2',
      '1M',
    );
    createEncrypted(
      folder,
      'luks-on.qcow2',
      'qcow2',
      'luks',
      '1M',
      '',
      '-u',
      '-b',
      'on-luks.qcow2',
      '-F',
      'qcow2',
    );
    expect(await jsonOf('info', '--backing-chain', at('luks-on.qcow2'))).toMatchObject([
      { encrypted: true },
      { 'backing-filename': 'luks.qcow2' },
      { encrypted: true },
    ]);
    expect(await refusal('read', at('on-luks.qcow2'), '0', '1')).toContain('ERR_WRONG_KEY');
  });
});
