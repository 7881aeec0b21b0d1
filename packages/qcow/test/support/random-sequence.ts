import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Able, can, createDisks, type DiskModule, type ServiceOptions } from '@diskstack/core';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { firstDifference } from '@diskstack/core/testing';
import { nodePrimitives } from '@diskstack/crypto/node';
import { BitmapModel } from './bitmap-model.ts';
import { noise, type Random, random, text } from './content.ts';
import { keyed } from './keys.ts';
import { FORMATS } from './open.ts';
import {
  checkWithQemu,
  convertSource,
  encryptedSource,
  plainSource,
  qemuImg,
  qemuIo,
  secretObject,
} from './qemu.ts';

const SECRET = 'sesame';

/** How the image of a sequence is made. */
interface Options {
  readonly label: string;
  readonly create: string;
  readonly clusterSize: number;
  readonly version: 2 | 3;
  readonly encrypted: boolean;
  readonly external: boolean;
  readonly based: boolean;
  readonly refcountBits: number;
}

function pick<T>(next: Random, values: readonly T[]): T {
  return values[next(values.length)] as T;
}

function randomOptions(next: Random): Options {
  const version = next(4) === 0 ? 2 : 3;
  const clusterSize = pick(next, [512, 1024, 4096, 16_384, 65_536, 65_536, 262_144, 2_097_152]);
  const encryption = next(5) === 0 ? pick(next, ['luks', 'aes']) : undefined;
  const external = version === 3 && encryption === undefined && next(6) === 0;
  const extended = version === 3 && clusterSize >= 16_384 && next(3) === 0;
  const refcountBits = version === 2 ? 16 : pick(next, [1, 2, 4, 8, 16, 16, 32, 64]);
  const zstd = version === 3 && next(3) === 0;
  const raw = external && next(2) === 0;
  const based = !raw && next(2) === 0;
  const create = [
    `compat=${version === 2 ? '0.10' : '1.1'},cluster_size=${clusterSize}`,
    ...(version === 3 ? [`refcount_bits=${refcountBits},compression_type=${zstd ? 'zstd' : 'zlib'}`] : []),
    ...(extended ? ['extended_l2=on'] : []),
    ...(version === 3 && next(5) === 0 ? ['lazy_refcounts=on'] : []),
    ...(external ? [`data_file=DATA${raw ? ',data_file_raw=on' : ''}`] : []),
    ...(encryption === 'luks' ? ['encrypt.format=luks,encrypt.iter-time=10,encrypt.key-secret=key'] : []),
    ...(encryption === 'aes' ? ['encrypt.format=aes,encrypt.key-secret=key'] : []),
  ].join();
  const label = `${create}${based ? ' based' : ''}`;
  return {
    label,
    create,
    clusterSize,
    version,
    encrypted: encryption !== undefined,
    external,
    based,
    refcountBits,
  };
}

/** A sequence of operations on an image, and on a byte array that must stay equal to it. */
class Sequence {
  readonly #next: Random;
  readonly #options: Options;
  readonly #path: string;
  #model: Uint8Array;
  #disk: DiskModule | undefined;
  readonly #saved = new Map<string, Uint8Array>();
  readonly #bitmaps = new BitmapModel();
  #count = 0;
  readonly log: string[] = [];

  constructor(next: Random, options: Options, path: string, model: Uint8Array) {
    this.#next = next;
    this.#options = options;
    this.#path = path;
    this.#model = model;
  }

  async open(): Promise<DiskModule> {
    if (this.#disk === undefined) {
      const services: Partial<ServiceOptions> = keyed(SECRET, { crypto: nodePrimitives });
      const disks = createDisks({
        formats: FORMATS,
        drivers: [fileDriver()],
        codecs: zlibCodecs,
        ...services,
      });
      this.#disk = await disks.open(this.#path, { mountMode: 'rw', format: 'qcow2' });
    }
    return this.#disk;
  }

  async close(): Promise<void> {
    await this.#disk?.close();
    this.#disk = undefined;
  }

  async step(): Promise<void> {
    const disk = await this.open();
    const operation = pick(this.#next, OPERATIONS);
    this.log.push(operation);
    await this[operation](disk);
  }

  #range(most: number): readonly [number, number] {
    const size = this.#model.length;
    const offset = this.#next(size);
    return [offset, 1 + this.#next(Math.min(most, size - offset))];
  }

  #content(length: number): Uint8Array {
    return this.#next(2) === 0 ? noise(length, this.#count++) : text(length, this.#count++);
  }

  async write(disk: DiskModule): Promise<void> {
    const [offset, length] = this.#range(this.#next(8) === 0 ? 500_000 : 9000);
    const data = this.#content(length);
    this.#log(offset, length);
    await disk.write(offset, data);
    this.#model.set(data, offset);
  }

  async writeMany(disk: DiskModule): Promise<void> {
    let offset = this.#next(this.#model.length);
    const writes: Promise<number>[] = [];
    for (let count = 0; count < 12 && offset < this.#model.length; count++) {
      const data = this.#content(1 + this.#next(Math.min(7000, this.#model.length - offset)));
      writes.push(disk.write(offset, data));
      this.#model.set(data, offset);
      offset += data.length;
    }
    await Promise.all(writes);
  }

  async zero(disk: DiskModule): Promise<void> {
    const [offset, length] = this.#range(this.#options.clusterSize * 5);
    this.#log(offset, length);
    await able(disk, 'writeZeroes').writeZeroes(offset, length, { unmap: this.#next(2) === 0 });
    this.#model.fill(0, offset, offset + length);
  }

  async discard(disk: DiskModule): Promise<void> {
    const [offset, length] = this.#range(this.#options.clusterSize * 5);
    this.#log(offset, length);
    const before = this.#model.slice(offset, offset + length);
    await able(disk, 'discard').discard(offset, length);
    // Each byte is unchanged, or zero.
    const after = await disk.read(offset, length);
    for (let index = 0; index < length; index++) {
      if (after[index] !== 0 && after[index] !== before[index])
        throw new Error(`discard made byte ${offset + index} up`);
    }
    this.#model.set(after, offset);
  }

  async compress(disk: DiskModule): Promise<void> {
    if (this.#options.encrypted || this.#options.external) return;
    const { clusterSize } = this.#options;
    for (let count = 0; count < 3; count++) {
      const offset = this.#next(Math.ceil(this.#model.length / clusterSize)) * clusterSize;
      const data = text(Math.min(clusterSize, this.#model.length - offset), this.#count++);
      try {
        await able(disk, 'writeCompressed').writeCompressed(offset, data);
        this.#model.set(data, offset);
      } catch (error) {
        if (!String(error).includes('has a place already')) throw error;
      }
    }
  }

  async snapshot(disk: DiskModule): Promise<void> {
    if (
      this.#options.external ||
      this.#options.refcountBits === 1 ||
      this.#saved.size >= (this.#options.refcountBits === 2 ? 1 : 4)
    )
      return;
    const name = `s${this.#count++}`;
    if (!(await this.#fits(able(disk, 'snapshots').snapshots.create(name)))) return;
    this.#saved.set(name, this.#model.slice());
  }

  async apply(disk: DiskModule): Promise<void> {
    if (this.#saved.size === 0) return;
    const name = pick(this.#next, [...this.#saved.keys()]);
    if (!(await this.#fits(able(disk, 'snapshots').snapshots.apply(name)))) return;
    const saved = this.#saved.get(name) as Uint8Array;
    const isOtherSize = saved.length !== this.#model.length;
    this.#model = saved.slice();
    if (isOtherSize) this.#bitmaps.resized(this.#model);
  }

  async bitmap(disk: DiskModule): Promise<void> {
    if (this.#options.version === 3) this.log.push(await this.#bitmaps.change(disk, this.#next, this.#model));
  }

  /** Returns false, and changes nothing, when narrow refcounts cannot count so many references. */
  async #fits(work: Promise<unknown>): Promise<boolean> {
    try {
      await work;
      return true;
    } catch (error) {
      if (String(error).includes('refcounts of this image end at')) return false;
      throw error;
    }
  }

  async remove(disk: DiskModule): Promise<void> {
    if (this.#saved.size === 0) return;
    const name = pick(this.#next, [...this.#saved.keys()]);
    await able(disk, 'snapshots').snapshots.delete(name);
    this.#saved.delete(name);
  }

  async resize(disk: DiskModule): Promise<void> {
    if (this.#options.version === 2 && this.#saved.size > 0) return;
    const size = 512 * (1 + this.#next(Math.ceil((this.#model.length * 1.5) / 512)));
    this.log.push(` ${size}`);
    await able(disk, 'resize').resize(size, { shrink: true });
    const model = new Uint8Array(size);
    model.set(this.#model.subarray(0, size));
    this.#model = model;
    this.#bitmaps.resized(model);
  }

  async flush(disk: DiskModule): Promise<void> {
    await able(disk, 'flush').flush();
  }

  async reopen(): Promise<void> {
    await this.close();
  }

  async check(disk: DiskModule): Promise<void> {
    const report = await able(disk, 'check').check();
    if (report.corruptions + report.errors + report.leaks > 0)
      throw new Error(JSON.stringify(report.findings.slice(0, 5)));
    await this.compare(disk);
  }

  async compare(disk: DiskModule): Promise<void> {
    this.#same(await disk.read(0, disk.size()), 'read');
    if (this.#options.version === 3) await this.#bitmaps.judge(disk, this.#model);
  }

  /** Checks the resulting image with qemu. */
  async judge(): Promise<void> {
    await this.close();
    if (process.env.DISKSTACK_KEEP !== undefined) await cp(this.#path, process.env.DISKSTACK_KEEP);
    await this.check(await this.open());
    await this.close();
    const source = this.#options.encrypted
      ? encryptedSource(this.#path, 'qcow2', SECRET)
      : plainSource(this.#path, 'qcow2');
    const found = await checkWithQemu(...source);
    if (found.corruptions + found.leaks + found.errors > 0)
      throw new Error(`qemu-img check: ${JSON.stringify(found)}`);
    this.#same(await convertSource(source), 'qemu-img convert');
    for (const [name, saved] of this.#saved) {
      const bytes = await convertSource(['-l', `snapshot.name=${name}`, ...source]);
      const both = Math.min(saved.length, bytes.length);
      const difference = firstDifference(bytes.subarray(0, both), saved.subarray(0, both));
      if (difference !== undefined) throw new Error(`snapshot ${name}: ${JSON.stringify(difference)}`);
    }
    // qemu continues, and we read.
    const [offset, length] = this.#range(100_000);
    const start = offset - (offset % 512);
    const sectors = Math.min(this.#model.length - start, Math.ceil(length / 512) * 512);
    if (sectors % 512 === 0 && sectors > 0) {
      await qemuIo(source, [`write -P 119 ${start} ${sectors}`]);
      this.#model.fill(119, start, start + sectors);
    }
    await this.compare(await this.open());
    await this.close();
  }

  #same(bytes: Uint8Array, what: string): void {
    const difference =
      bytes.length === this.#model.length
        ? firstDifference(bytes, this.#model)
        : `${bytes.length} bytes, not ${this.#model.length}`;
    if (difference !== undefined) throw new Error(`${what}: ${JSON.stringify(difference)}`);
  }

  #log(offset: number, length: number): void {
    this.log.push(` ${offset}+${length}`);
  }
}

const OPERATIONS = [
  'write',
  'write',
  'write',
  'write',
  'writeMany',
  'zero',
  'zero',
  'discard',
  'compress',
  'compress',
  'snapshot',
  'apply',
  'remove',
  'resize',
  'bitmap',
  'bitmap',
  'bitmap',
  'flush',
  'reopen',
  'check',
  'compare',
] as const;

function able<
  A extends 'writeZeroes' | 'discard' | 'writeCompressed' | 'snapshots' | 'resize' | 'flush' | 'check',
>(disk: DiskModule, ability: A): Able<A> {
  if (can(disk, ability)) return disk;
  throw new Error(`the disk cannot ${ability}`);
}

/** Runs the sequence of a seed in a new folder. */
export async function runSequence(folder: string, seed: number): Promise<void> {
  const next = random(seed);
  const options = randomOptions(next);
  const path = join(folder, `${seed}.qcow2`);
  const data = `${path}.data`;
  const base = `${path}.base`;
  const size = 512 * (1 + next(pick(next, [200, 4000, 8000])));
  const model = new Uint8Array(size);
  if (options.based) {
    const bytes = noise(512 * (1 + next(Math.ceil((size * 1.3) / 512))), seed);
    await writeFile(base, bytes);
    model.set(bytes.subarray(0, size));
  }
  const key = options.encrypted ? secretObject(SECRET) : [];
  const backing = options.based ? ['-b', base, '-F', 'raw'] : [];
  const create = options.create.replace('DATA', data);
  await qemuImg('create', '-q', '-f', 'qcow2', ...key, '-o', create, ...backing, path, String(size));
  const sequence = new Sequence(next, options, path, model);
  try {
    for (let count = 0; count < 30; count++) await sequence.step();
    await sequence.judge();
  } catch (error) {
    await sequence.close().catch(() => {});
    throw new Error(
      `sequence ${seed} (${options.label}, ${size} bytes): ${sequence.log.join(' ')}: ${String(error)}`,
      { cause: error },
    );
  }
  for (const file of [path, data, base]) await rm(file, { force: true });
}
