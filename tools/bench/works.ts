import { changingWorks } from './changing-works.ts';
import type { BenchImage } from './images.ts';
import {
  type Command,
  diskstack,
  freshReadingTime,
  peakMemory,
  qemuBench,
  qemuImg,
  wallTime,
  writingTime,
} from './measure/processes.ts';
import { mapping, opening, type Reads, reading, readsThrough } from './measure/reading.ts';
import { sharingWorks } from './shared-blocks.ts';
import type { Work } from './work.ts';

const MIB = 1024 * 1024;
/** A stride that visits 4 KiB blocks all over the disk: `qemu-img bench` knows steps only. */
const STRIDE = 4096 * 7919;
/** 64 MiB in a row, which qemu needs seconds for where clusters are compressed. */
const SMALL_READS: Reads = { length: 4096, step: 4096, count: 16_384 };
const RANDOM_READS: Reads = { length: 4096, step: STRIDE, count: 10_000 };
const OPENINGS = 500;

type Choice = Work['images'];
const isQcow: Choice = ({ format }) => format === 'qcow2';
const isSmall: Choice = ({ name }) => name.endsWith('64 MiB');
const isDense: Choice = (image) => !image.name.startsWith('sparse') && !isSmall(image);
const all: Choice = () => true;
const only =
  (...names: string[]): Choice =>
  ({ name }) =>
    names.includes(name);

/** The same reads in a process that is warm, and in one that does nothing else. */
function readingWorks(
  name: string,
  images: Choice,
  readsOf: (image: BenchImage) => Reads | Promise<Reads>,
): readonly Work[] {
  return [
    {
      name: `${name}, warm`,
      unit: 'ms',
      images,
      ours: async (image) => reading(image.path, await readsOf(image)),
      theirs: async (image) => qemuBench(image, await readsOf(image)),
    },
    {
      name: `${name}, fresh process`,
      unit: 'ms',
      images,
      ours: async (image) => freshReadingTime(image.path, await readsOf(image)),
      theirs: async (image) => qemuBench(image, await readsOf(image)),
    },
  ];
}

/** Whole processes that write a new image. */
function convertWork(
  name: string,
  images: Choice,
  options: readonly string[],
  peer: (path: string, output: string) => Command = (path, output) =>
    qemuImg('convert', ...options, path, output),
): Work {
  return {
    name,
    unit: 'ms',
    images,
    ours: ({ path }) =>
      writingTime(path, `${path}.ours`, diskstack('convert', ...options, path, `${path}.ours`)),
    theirs: ({ path }) => writingTime(path, `${path}.qemu`, peer(path, `${path}.qemu`)),
  };
}

/** Whole processes that only read. */
function lookWork(name: string, images: Choice, argsOf: (image: BenchImage) => string[]): Work {
  return {
    name,
    unit: 'ms',
    images,
    ours: (image) => wallTime(diskstack(...argsOf(image))),
    theirs: (image) => wallTime(qemuImg(...argsOf(image))),
  };
}

export const works: readonly Work[] = [
  ...readingWorks('sequential read, 2 MiB each', isDense, ({ path }) => readsThrough(path, 2 * MIB)),
  ...readingWorks('sequential read, 4 KiB each', isDense, () => SMALL_READS),
  ...readingWorks(
    'random read, 4 KiB each',
    (image) => isQcow(image) && !isSmall(image),
    () => RANDOM_READS,
  ),
  {
    name: 'open and read a sector, warm',
    unit: 'µs',
    images: only('plain', 'chain of 8'),
    ours: async ({ path }) => ((await opening(path, OPENINGS)) / OPENINGS) * 1000,
  },
  convertWork('convert to raw', all, ['-O', 'raw']),
  convertWork('convert to raw, against -W -m 8', only('plain'), ['-O', 'raw'], (path, output) =>
    qemuImg('convert', '-W', '-m', '8', '-O', 'raw', path, output),
  ),
  {
    ...convertWork('convert to raw, against nbdcopy', only('plain'), ['-O', 'raw'], (path, output) => [
      'nbdcopy',
      '--',
      '[',
      'qemu-nbd',
      '-r',
      '-f',
      'qcow2',
      path,
      ']',
      output,
    ]),
    program: 'nbdcopy',
  },
  convertWork('convert to qcow2', all, ['-O', 'qcow2']),
  convertWork('convert to qcow2 -c', only('plain'), ['-O', 'qcow2', '-c']),
  convertWork('convert to qcow2 -c, zstd', only('plain'), [
    '-O',
    'qcow2',
    '-c',
    '-o',
    'compression_type=zstd',
  ]),
  {
    name: 'peak memory of convert to raw',
    unit: 'MiB',
    program: 'python3',
    images: (image) => isQcow(image) && !isSmall(image),
    ours: ({ path }) => peakMemory(`${path}.ours`, diskstack('convert', '-O', 'raw', path, `${path}.ours`)),
    theirs: ({ path }) => peakMemory(`${path}.qemu`, qemuImg('convert', '-O', 'raw', path, `${path}.qemu`)),
  },
  lookWork('map', all, ({ path }) => ['map', '--output', 'json', path]),
  {
    name: 'map, warm, against the process of qemu-img',
    unit: 'ms',
    images: only('chain of 8', 'sparse 1 TiB'),
    ours: ({ path }) => mapping(path),
    theirs: ({ path }) => wallTime(qemuImg('map', '--output', 'json', path)),
  },
  lookWork('check', isQcow, ({ path }) => ['check', path]),
  lookWork('info', only('plain', 'chain of 8'), ({ path }) => ['info', path]),
  {
    name: 'info, against `node -e 0`',
    unit: 'ms',
    images: only('plain'),
    ours: ({ path }) => wallTime(diskstack('info', path)),
    theirs: () => wallTime([process.execPath, '-e', '0']),
  },
  lookWork('compare with the raw disk', only('plain', 'zlib', 'extended L2'), ({ path, content }) => [
    'compare',
    path,
    content,
  ]),
  {
    name: 'digest, against openssl and the raw disk',
    unit: 'ms',
    images: only('plain', 'half holes, raw'),
    program: 'openssl',
    ours: ({ path }) => wallTime(diskstack('digest', path)),
    theirs: ({ content }) => wallTime(['openssl', 'dgst', '-sha256', content]),
  },
  ...changingWorks,
  ...sharingWorks,
];
