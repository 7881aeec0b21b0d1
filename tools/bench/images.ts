import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const MIB = 1024 * 1024;

/** An image of the benchmark, and what it is compared with. All are made once for each size and kept in the folder. */
export interface BenchImage {
  readonly name: string;
  readonly path: string;
  readonly format: 'qcow2' | 'raw';
  /** A raw file with the content of `plain`, `zlib`, `zstd` and `extended L2`. */
  readonly content: string;
  /** An overlay on `plain`: every second mebibyte of its first half is written again. */
  readonly overlay: string;
}

/**
 * Makes the images: half of the guest is data, in runs of 4 MiB, of which a third is random, a third text-like and a
 * third long runs of one byte. Seeded, so every run measures the same bytes.
 */
export function makeImages(folder: string, guestMib: number): readonly BenchImage[] {
  mkdirSync(folder, { recursive: true });
  const raw = join(folder, `data-${guestMib}.raw`);
  if (!existsSync(raw)) writeRaw(raw, guestMib);
  const plain = join(folder, `plain-${guestMib}.qcow2`);
  const overlay = join(folder, `written-again-${guestMib}.qcow2`);
  const image = (
    name: string,
    make: (path: string) => void,
    format: BenchImage['format'] = 'qcow2',
  ): BenchImage => {
    const path = join(folder, `${name.replaceAll(/[ ,]+/g, '-')}-${guestMib}.${format}`);
    if (!existsSync(path)) make(path);
    return { name, path, format, content: raw, overlay };
  };
  const convert = (...options: string[]) => {
    return (path: string): void => qemuImg('convert', '-O', 'qcow2', ...options, raw, path);
  };
  const images: readonly BenchImage[] = [
    image('plain', convert()),
    image('zlib', convert('-c')),
    image('zstd', convert('-c', '-o', 'compression_type=zstd')),
    image('extended L2', convert('-o', 'extended_l2=on,cluster_size=128k')),
    image('fragmented', (path) => fragmented(path, guestMib)),
    image('chain of 8', (path) => chain(path, folder, guestMib)),
    image('sparse 1 TiB', (path) => {
      qemuImg('create', '-f', 'qcow2', path, '1T');
      // Two clusters in each L2 table.
      qemuIo(
        path,
        Array.from({ length: 4096 }, (_, index) => `write -P 7 ${index * 256}M 64k`),
      );
    }),
    { name: 'half holes, raw', path: raw, format: 'raw', content: raw, overlay },
    image('overlay on half holes, raw', (path) => {
      qemuImg('create', '-f', 'qcow2', '-b', raw, '-F', 'raw', path);
    }),
    image('sparse 100 GiB, raw', sparseRaw, 'raw'),
    image('plain, 64 MiB', (path) => {
      const small = `${path}.raw`;
      writeRaw(small, 64);
      qemuImg('convert', '-O', 'qcow2', small, path);
    }),
  ];
  if (!existsSync(overlay)) {
    qemuImg('create', '-f', 'qcow2', '-b', plain, '-F', 'qcow2', overlay);
    qemuIo(
      overlay,
      Array.from({ length: guestMib / 4 }, (_, index) => `write -P 9 ${index * 2}M 1M`),
    );
  }
  return images;
}

/** 256 pieces of 1 MiB all over 100 GiB: the file of a new machine. */
function sparseRaw(path: string): void {
  const fd = openSync(path, 'w');
  const piece = new Uint8Array(MIB).fill(5);
  for (let index = 0; index < 256; index++) writeSync(fd, piece, 0, piece.length, index * 400 * MIB);
  ftruncateSync(fd, 100 * 1024 * MIB);
  closeSync(fd);
}

function writeRaw(path: string, guestMib: number): void {
  const fd = openSync(path, 'w');
  const run = new Uint8Array(4 * MIB);
  let state = 0x2545f491;
  const random = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (let mib = 0, kind = 0; mib < guestMib; mib += 8, kind = (kind + 1) % 3) {
    const words = new Uint32Array(run.buffer);
    for (let index = 0; index < words.length; index++) {
      if (kind === 0) words[index] = random();
      else if (kind === 1) words[index] = 0x20202020 + (random() & 0x0f0f0f0f);
      else words[index] = 0x01010101 * ((index >> 14) & 0xff || 1);
    }
    writeSync(fd, run, 0, run.length, mib * MIB);
  }
  ftruncateSync(fd, guestMib * MIB);
  closeSync(fd);
}

/** Neighbouring clusters of the guest stand far apart in the file: written in a scattered order. */
function fragmented(path: string, guestMib: number): void {
  const clusters = guestMib * 16;
  qemuImg('create', '-f', 'qcow2', path, `${guestMib}M`);
  const commands: string[] = [];
  for (let index = 0; index < clusters; index++) {
    const cluster = (index * 7919) % clusters;
    if ((cluster >> 6) % 2 === 0) commands.push(`write -P ${(cluster % 255) + 1} ${cluster * 64}k 64k`);
  }
  qemuIo(path, commands);
}

/** Eight disks, each with an eighth of the data. */
function chain(path: string, folder: string, guestMib: number): void {
  let below: string | undefined;
  for (let depth = 7; depth >= 0; depth--) {
    const layer = depth === 0 ? path : join(folder, `chain-${guestMib}-${depth}.qcow2`);
    const backing = below === undefined ? [] : ['-b', below, '-F', 'qcow2'];
    qemuImg('create', '-f', 'qcow2', ...backing, layer, `${guestMib}M`);
    const commands: string[] = [];
    for (let mib = depth; mib < guestMib; mib += 16) commands.push(`write -P ${depth + 1} ${mib}M 1M`);
    qemuIo(layer, commands);
    below = layer;
  }
}

function qemuImg(...args: string[]): void {
  execFileSync('qemu-img', args, { stdio: 'ignore' });
}

function qemuIo(path: string, commands: readonly string[]): void {
  execFileSync('qemu-io', ['-t', 'unsafe', '-f', 'qcow2', path], {
    input: commands.join('\n'),
    stdio: ['pipe', 'ignore', 'inherit'],
  });
}
