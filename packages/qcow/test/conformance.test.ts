import { deflateRawSync, zstdCompressSync } from 'node:zlib';
import { type DiskModule, MemoryDisk } from '@diskstack/core';
import type { DiskFormat } from '@diskstack/core/format';
import { describeDiskModule, faultDisk, pattern } from '@diskstack/core/testing';
import { qcow, qcow2 } from '../src/index.ts';
import { stacked } from './support/context.ts';
import { memoryGate } from './support/memory-gate.ts';
import { type Sample, sample, sampleExtended, sampleV1 } from './support/sampler.ts';

const compress = (bytes: Uint8Array): Uint8Array => deflateRawSync(bytes);
const memory = (bytes: Uint8Array): DiskModule => new MemoryDisk(bytes, { writable: false });

function conforms(
  name: string,
  format: DiskFormat,
  { image, expected }: Sample,
  files: Readonly<Record<string, Uint8Array>> = {},
): void {
  const services = { gate: memoryGate(files) };
  describeDiskModule(name, { open: () => stacked(format, memory(image), services), expected });
  describeDiskModule(`${name}, on a slow disk`, {
    open: () =>
      stacked(format, faultDisk(memory(image), { delayMs: (call) => (call % 16 === 0 ? 1 : 0) }), services),
    expected,
  });
}

conforms('QCOW version 1', qcow, sampleV1());
conforms('QCOW version 1, compressed', qcow, sampleV1({ compress }));
conforms('QCOW version 2', qcow2, sample(2));
conforms('QCOW version 2, compressed', qcow2, sample(2, { compress }));
conforms('QCOW version 3', qcow2, sample(3));
conforms('QCOW version 3, zlib', qcow2, sample(3, { compress }));
conforms(
  'QCOW version 3, zstd',
  qcow2,
  sample(3, { compress: (bytes) => zstdCompressSync(bytes), zstd: true }),
);
conforms('QCOW with extended L2 entries', qcow2, sampleExtended());

// A raw base that ends within a sector, below version 2, below version 1, below sub-clusters.
const bottom = pattern(100_001, 3);
const second = sample(2, { compress, base: ['bottom', bottom] });
const third = sampleV1({ base: ['second', second.expected] });
const top = sampleExtended({ base: ['third', third.expected] });
conforms('a chain of four', qcow2, top, { bottom, second: second.image, third: third.image });
