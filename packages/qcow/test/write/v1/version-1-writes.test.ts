import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDisks, type DiskModule, MemoryDisk, type OpenOptions, type Source } from '@diskstack/core';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { CrashDisk, diskErrorOf } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { createQcow1 } from '../../../src/index.ts';
import { noise, random, text } from '../../support/content.ts';
import { able } from '../../support/crash-run.ts';
import { keyed } from '../../support/keys.ts';
import { memoryGate } from '../../support/memory-gate.ts';
import { FORMATS } from '../../support/open.ts';
import {
  convertSource,
  describeWithQemu,
  encryptedSource,
  plainSource,
  qemuImg,
  qemuIo,
  secretObject,
} from '../../support/qemu.ts';
import { tempFolder } from '../../support/temp-folder.ts';

// Random writes to version 1: qemu reads the same content as a model has.

const temp = tempFolder();
const PASSPHRASE = 'sixteen bytes or';
const KEY = new TextEncoder().encode(PASSPHRASE);
const SIZE = 5 * 2 ** 20 + 512; // three L2 tables
const BASE_SIZE = 3 * 2 ** 20 + 700;

function open(source: Source, encrypted: boolean, mountMode: 'r' | 'rw' = 'rw'): Promise<DiskModule> {
  const services = { formats: FORMATS, codecs: zlibCodecs, drivers: [fileDriver()] };
  const options: OpenOptions = { mountMode, format: 'qcow' };
  return createDisks(encrypted ? { ...services, ...keyed(PASSPHRASE) } : services).open(source, options);
}

async function makeFile(path: string, options: Parameters<typeof createQcow1>[1]): Promise<void> {
  const image = new MemoryDisk(new Uint8Array(0));
  await image.init();
  await createQcow1(image, options);
  await writeFile(path, image.bytes);
}

/** A random change, to the disk and to the model. */
async function change(
  disk: DiskModule,
  model: Uint8Array,
  next: (below: number) => number,
  count: number,
): Promise<void> {
  const offset = next(model.length);
  const length = 1 + next(Math.min(next(4) === 0 ? 300_000 : 5000, model.length - offset));
  const deed = next(6);
  if (deed === 0) {
    await able(disk, 'writeZeroes').writeZeroes(offset, length, { unmap: next(2) === 0 });
    model.fill(0, offset, offset + length);
  } else if (deed === 1 && next(2) === 0) {
    await able(disk, 'flush').flush();
  } else {
    const data = noise(length, count);
    await disk.write(offset, data);
    model.set(data, offset);
  }
}

const SHAPES = [
  { name: 'without a base', based: false, encrypted: false },
  { name: 'over a base', based: true, encrypted: false },
  { name: 'encrypted', based: false, encrypted: true },
  { name: 'encrypted over a base', based: true, encrypted: true },
];

describeWithQemu('a written version 1 image', () => {
  test.for(SHAPES)('$name: qemu reads what was written, and what each of both adds', async (shape) => {
    const { based, encrypted } = shape;
    const folder = await temp.next();
    const path = join(folder, 'image');
    const model = new Uint8Array(SIZE);
    if (based) {
      const base = noise(BASE_SIZE, 9);
      await writeFile(join(folder, 'base'), base);
      model.set(base);
    }
    await makeFile(path, {
      size: SIZE,
      ...(based ? { backing: { name: 'base' } } : {}),
      ...(encrypted ? { encryption: { kind: 'aes', passphrase: KEY } } : {}),
    });
    const source = encrypted ? encryptedSource(path, 'qcow', PASSPHRASE) : plainSource(path, 'qcow');
    const next = random(based ? 3 : 4);
    for (let round = 0; round < 4; round++) {
      const disk = await open(path, encrypted);
      for (let count = 0; count < 15; count++) await change(disk, model, next, round * 100 + count);
      expect(Buffer.compare(await disk.read(0, SIZE), model)).toBe(0);
      await disk.close();
      expect(Buffer.compare(await convertSource(source), model), `round ${round}`).toBe(0);
      const at = next(SIZE / 512 - 9) * 512;
      await qemuIo(source, [`write -q -P ${round + 1} ${at} 4k`]);
      model.fill(round + 1, at, at + 4096);
    }
    await using again = await open(path, encrypted, 'r');
    expect(Buffer.compare(await again.read(0, SIZE), model)).toBe(0);
  });

  test('compressed clusters are read by qemu, and written over', async () => {
    const path = join(await temp.next(), 'image');
    await makeFile(path, { size: SIZE });
    const model = new Uint8Array(SIZE);
    const disk = await open(path, false);
    for (let offset = 0; offset < 2_200_000; offset += 4096) {
      const data = offset % 12_288 === 0 ? noise(4096, offset) : text(4096, offset);
      await able(disk, 'writeCompressed').writeCompressed(offset, data);
      model.set(data, offset);
    }
    const last = text(512, 1);
    await able(disk, 'writeCompressed').writeCompressed(SIZE - 512, last);
    model.set(last, SIZE - 512);
    await able(disk, 'flush').flush();
    await disk.write(5000, noise(9000, 1));
    model.set(noise(9000, 1), 5000);
    await disk.close();
    expect(Buffer.compare(await convertSource(plainSource(path, 'qcow')), model)).toBe(0);
  });

  test.for([
    ['512', 512],
    ['100003', 100_003],
    ['3G', 3 * 2 ** 30],
  ] as const)('an empty image of %s bytes is qemu-img’s, byte for byte', async ([text, size]) => {
    const folder = await temp.next();
    await writeFile(join(folder, 'base'), new Uint8Array(512));
    for (const based of [false, true]) {
      const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')];
      await makeFile(ours, { size, ...(based ? { backing: { name: 'base' } } : {}) });
      await qemuImg(
        'create',
        '-q',
        '-f',
        'qcow',
        ...(based ? ['-b', 'base', '-F', 'raw'] : []),
        theirs,
        text,
      );
      expect((await readFile(ours)).equals(await readFile(theirs))).toBe(true);
    }
  });

  test('an image that qemu encrypted is written with its key', async () => {
    const path = join(await temp.next(), 'image');
    const key = 'encrypt.format=aes,encrypt.key-secret=key';
    await qemuImg('create', '-q', '-f', 'qcow', ...secretObject(PASSPHRASE), '-o', key, path, '1M');
    const disk = await open(path, true);
    await disk.write(1000, noise(70_000, 2));
    await disk.close();
    const model = new Uint8Array(2 ** 20);
    model.set(noise(70_000, 2), 1000);
    expect(Buffer.compare(await convertSource(encryptedSource(path, 'qcow', PASSPHRASE)), model)).toBe(0);
  });
});

test.for([false, true])(
  'every cut leaves all that was flushed, and nothing foreign (over a base: %s)',
  async (based) => {
    const size = 3 * 2 ** 20;
    const base = based ? noise(size, 5) : new Uint8Array(0);
    const openOn = (source: Source, mountMode: 'r' | 'rw'): Promise<DiskModule> =>
      createDisks({ formats: FORMATS, codecs: zlibCodecs, gate: memoryGate({ base }) }).open(source, {
        mountMode,
        format: 'qcow',
      });
    const image = new MemoryDisk(new Uint8Array(0));
    await image.init();
    await createQcow1(image, { size, ...(based ? { backing: { name: 'base' } } : {}) });
    const storage = new CrashDisk(image.bytes);
    const disk = await openOn(storage, 'rw');
    const next = random(8);
    const content = new Uint8Array(size);
    content.set(base);
    const states = [{ content, begin: 0, flushedAt: 0 }];
    for (let count = 0; count < 14; count++) {
      const begin = storage.events.length;
      const model = (states.at(-1) as (typeof states)[0]).content.slice();
      await change(disk, model, next, count);
      if (count % 4 === 3) await able(disk, 'flush').flush();
      states.push({ content: model, begin, flushedAt: count % 4 === 3 ? storage.events.length : Infinity });
    }
    await disk.close();
    (states.at(-1) as (typeof states)[0]).flushedAt = storage.events.length;
    for (let count = 0; count <= storage.events.length; count++) {
      const left = storage.after(count, (event) => count % 2 === 0 || random(event)(2) === 0);
      await using crashed = await openOn(left, 'r');
      const bytes = await crashed.read(0, size);
      let first = 0;
      for (const [index, { flushedAt }] of states.entries()) if (flushedAt <= count) first = index;
      const possible = states.slice(first).filter(({ begin }, index) => index === 0 || begin < count);
      const same = (possible[0] as (typeof states)[0]).content;
      if (Buffer.compare(bytes, same) === 0) continue;
      for (let index = 0; index < size; index++) {
        if (bytes[index] === same[index]) continue;
        if (!possible.some((state) => state.content[index] === bytes[index]))
          throw new Error(`event ${count}: byte ${index} was never there since the last flush`);
      }
    }
  },
);

test('what version 1 does not have is refused, and the image stays as it is', async () => {
  const image = new MemoryDisk(new Uint8Array(0));
  await image.init();
  for (const size of [0, -1, 0.5, 2 ** 53]) {
    expect((await diskErrorOf(() => createQcow1(image, { size }))).code).toBe('ERR_ARGUMENT');
  }
  await createQcow1(image, { size: 1 });
  await using disk = await open(image.bytes, false);
  expect(disk.size()).toBe(512);
  for (const change of [
    () => able(disk, 'resize').resize(1024),
    () => able(disk, 'snapshots').snapshots.create('one'),
  ])
    await expect((async () => await change())()).rejects.toThrow();
});

test.for([0, 1])('a disk of %s bytes is refused, as qemu refuses it', async (size) => {
  const image = new MemoryDisk(new Uint8Array(0));
  await image.init();
  await createQcow1(image, { size: 512 });
  new DataView(image.bytes.buffer, image.bytes.byteOffset).setBigUint64(24, BigInt(size));
  expect((await diskErrorOf(() => open(image.bytes, false, 'r'))).code).toBe('ERR_CORRUPT');
});

test('data is never written over a table, whatever an entry says', async () => {
  const image = new MemoryDisk(new Uint8Array(0));
  await image.init();
  await createQcow1(image, { size: 2 ** 31 });
  const disk = await open(image, false);
  await disk.write(0, noise(8192, 1));
  await able(disk, 'flush').flush();
  const bytes = image.bytes.slice();
  await disk.close();
  const l2 = new DataView(bytes.buffer).getBigUint64(48);
  for (const target of [512n, l2]) {
    const damaged = bytes.slice();
    new DataView(damaged.buffer).setBigUint64(Number(l2), target);
    const storage = new MemoryDisk(damaged.slice());
    await storage.init();
    const again = await open(storage, false);
    expect((await diskErrorOf(() => again.write(0, noise(512, 2)))).code).toBe('ERR_CORRUPT');
    expect(Buffer.compare(storage.bytes.subarray(0, damaged.length), damaged)).toBe(0);
    await again.close();
  }
});
