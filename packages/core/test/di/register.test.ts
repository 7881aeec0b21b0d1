import 'reflect-metadata';
import { container, type DependencyContainer, type InjectionToken } from 'tsyringe';
import { expect, test, vi } from 'vitest';
import type { Codec } from '../../src/contracts/codec.ts';
import type { DiskFormat, OpenContext } from '../../src/contracts/disk-format.ts';
import { DEFAULT_LIMITS, type Logger } from '../../src/contracts/services.ts';
import type { VolumeManager } from '../../src/contracts/volume-manager.ts';
import {
  BACKING_GATE,
  CODECS,
  DISK_FORMAT,
  DISKS,
  LIMITS,
  LOGGER,
  PROBE_REGISTRY,
  registerDisks,
  STORAGE_DRIVER,
  VOLUME_MANAGER,
} from '../../src/di/index.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { createDisks, Disks } from '../../src/disks.ts';
import { filesBelowRoots } from '../../src/stack/backing-gate.ts';
import { ProbeRegistry } from '../../src/stack/probe-registry.ts';
import { diskErrorOf, spyDriver } from '../../src/testing/index.ts';
import { memoryDriver } from '../support/memory-driver.ts';
import { BLOCK, overlay, overlayImage, plain } from '../support/overlay-format.ts';
import { filled } from '../support/stack-world.ts';

const FILES = {
  '/img/top': overlayImage({ base: 'base' }),
  '/img/base': filled(7),
  '/img/on-volume': overlayImage({ base: '/dev/vg/lv' }),
};

/** A container of the test's own, with the toy formats and files in memory. */
function wired(): DependencyContainer {
  const child = container.createChildContainer();
  registerDisks(child, { formats: [plain, overlay], drivers: [memoryDriver(FILES)] });
  return child;
}

async function baseByte(disks: Disks, path: string): Promise<number | undefined> {
  await using top = await disks.open(path);
  return (await top.read(BLOCK, 1))[0];
}

/** A format that records the context in which it opens. */
function recording(): { format: DiskFormat; contexts: OpenContext[] } {
  const contexts: OpenContext[] = [];
  const format: DiskFormat = {
    ...plain,
    open(downstream, context) {
      contexts.push(context);
      return plain.open(downstream, context);
    },
  };
  return { format, contexts };
}

const managerOf = (value: number): VolumeManager => ({
  find: async (path) =>
    path === '/dev/vg/lv' ? { path, disk: new MemoryDisk(filled(value), { writable: false }) } : undefined,
  list: async () => ['/dev/vg/lv'],
});

test('resolves one Disks for the container', async () => {
  const child = wired();
  const disks = child.resolve(DISKS);
  expect(disks).toBeInstanceOf(Disks);
  expect(child.resolve(DISKS)).toBe(disks);
  expect(await baseByte(disks, '/img/top')).toBe(7);
});

test('resolves the probe registry of that Disks', () => {
  const child = wired();
  const registry = child.resolve(PROBE_REGISTRY);
  expect(registry).toBeInstanceOf(ProbeRegistry);
  expect(registry).toBe(child.resolve(DISKS).registry);
  expect(registry.named('overlay')).toBe(overlay);
});

test('one line registers one more format, before registerDisks or after it', () => {
  const child = container.createChildContainer();
  const named = (name: string): DiskFormat => ({ ...plain, name });
  child.register(DISK_FORMAT, { useValue: named('before') });
  registerDisks(child, { formats: [plain] });
  child.register(DISK_FORMAT, { useValue: named('after') });
  const names = child.resolve(DISKS).registry.formats.map(({ name }) => name);
  expect(names.sort()).toEqual(['after', 'before', 'plain']);
});

test('drivers are used in the order of their registration, the first one for plain paths', async () => {
  const child = container.createChildContainer();
  const first = spyDriver(memoryDriver(FILES));
  const second = spyDriver(memoryDriver(FILES, { scheme: 'second' }));
  child.register(STORAGE_DRIVER, { useValue: first });
  registerDisks(child, { formats: [plain], drivers: [second] });
  const disks = child.resolve(DISKS);
  await using _plain = await disks.open('/img/base');
  await using _named = await disks.open('second:/img/base');
  expect([first.openPaths, second.openPaths]).toEqual([['/img/base'], ['second:/img/base']]);
});

test('the volume manager is asked by the default gate', async () => {
  const child = wired();
  child.register(VOLUME_MANAGER, { useValue: managerOf(5) });
  expect(await baseByte(child.resolve(DISKS), '/img/on-volume')).toBe(5);
});

test('a gate takes the place of the default one, and then the volume manager is not asked', async () => {
  const child = wired();
  const manager = managerOf(5);
  const find = vi.spyOn(manager, 'find');
  const gate = vi.fn(filesBelowRoots);
  child.register(VOLUME_MANAGER, { useValue: manager });
  child.register(BACKING_GATE, { useValue: gate });
  expect(await baseByte(child.resolve(DISKS), '/img/top')).toBe(7);
  expect(gate).toHaveBeenCalledTimes(1);
  expect(find).not.toHaveBeenCalled();
});

test('codecs, logger and limits reach the formats', async () => {
  const { format, contexts } = recording();
  const child = container.createChildContainer();
  const nothing: Codec = { decompress: () => undefined };
  const logger: Logger = { warn: vi.fn(), debug: vi.fn() };
  const limits = { ...DEFAULT_LIMITS, maxTableBytes: 99 };
  registerDisks(child, { formats: [format] });
  child.register(CODECS, { useValue: { deflate: nothing, zstd: nothing } });
  child.register(LOGGER, { useValue: logger });
  child.register(LIMITS, { useValue: limits });
  await using _disk = await child.resolve(DISKS).open(filled(1));
  expect(contexts).toHaveLength(1);
  expect(contexts[0]).toMatchObject({
    codecs: { deflate: nothing, zstd: nothing },
    limits: { maxTableBytes: 99 },
  });
  expect(contexts[0]?.logger).toBe(logger);
});

test('registrations of codecs add up, and the last one of a name counts', async () => {
  const { format, contexts } = recording();
  const child = container.createChildContainer();
  const codec = (): Codec => ({ decompress: () => undefined });
  const [lzfse, first, second] = [codec(), codec(), codec()] as const;
  registerDisks(child, { formats: [format], codecs: { adc: codec() } });
  child.register(CODECS, { useValue: { lzfse, deflate: first } });
  child.register(CODECS, { useValue: { deflate: second } });
  await using _disk = await child.resolve(DISKS).open(filled(1));
  const { codecs } = contexts[0] ?? expect.fail('no context');
  expect(codecs.lzfse).toBe(lzfse);
  expect(codecs.deflate).toBe(second);
  expect(Object.keys(codecs).sort()).toEqual(['adc', 'deflate', 'lzfse', 'zlib', 'zstd']);
});

test('the logger gets a message for each image that is opened by name', async () => {
  const child = wired();
  const logger = { warn: vi.fn(), debug: vi.fn() };
  child.register(LOGGER, { useValue: logger });
  await baseByte(child.resolve(DISKS), '/img/top');
  expect(logger.debug).toHaveBeenCalledWith(expect.stringContaining('"/img/base"'));
});

test('limits are held', async () => {
  const child = wired();
  child.register(LIMITS, { useValue: { ...DEFAULT_LIMITS, maxChainDepth: 1 } });
  expect((await diskErrorOf(() => child.resolve(DISKS).open('/img/top'))).code).toBe('ERR_LIMIT');
});

test('services that are given as options are wired too, and defaults fill in the rest', async () => {
  const { format, contexts } = recording();
  const child = container.createChildContainer();
  const zstd: Codec = { decompress: () => undefined };
  const logger: Logger = { warn: vi.fn(), debug: vi.fn() };
  const gate = vi.fn(filesBelowRoots);
  registerDisks(child, {
    formats: [format, overlay],
    drivers: [memoryDriver(FILES)],
    volumeManager: managerOf(5),
    gate,
    codecs: { zstd },
    logger,
    limits: { maxTableBytes: 98 },
  });
  expect(await baseByte(child.resolve(DISKS), '/img/top')).toBe(7);
  expect(gate).toHaveBeenCalledTimes(1);
  expect(contexts[0]).toMatchObject({ codecs: { zstd }, limits: { ...DEFAULT_LIMITS, maxTableBytes: 98 } });
  expect(contexts[0]?.codecs.deflate?.decompress).toBeTypeOf('function');
  expect(child.resolve(VOLUME_MANAGER)).toMatchObject({ find: expect.any(Function) });
});

test('a container with nothing in it but registerDisks knows no format', async () => {
  const child = container.createChildContainer();
  registerDisks(child);
  const disks = child.resolve(DISKS);
  expect(disks.registry.formats).toEqual([]);
  expect((await diskErrorOf(() => disks.open(filled(1)))).code).toBe('ERR_UNKNOWN_FORMAT');
});

test('nothing is registered in the parent of the container', () => {
  const child = wired();
  child.resolve(DISKS);
  const tokens: readonly InjectionToken[] = [DISKS, PROBE_REGISTRY, DISK_FORMAT, STORAGE_DRIVER];
  for (const token of tokens) {
    expect(child.isRegistered(token)).toBe(true);
    expect(container.isRegistered(token, true)).toBe(false);
  }
});

test('two containers of one parent have a Disks each', () => {
  const [a, b] = [wired(), wired()];
  b.register(DISK_FORMAT, { useValue: { ...plain, name: 'more' } });
  expect(a.resolve(DISKS)).not.toBe(b.resolve(DISKS));
  expect([a, b].map((one) => one.resolve(PROBE_REGISTRY).formats.length)).toEqual([2, 3]);
});

test('services of the parent are used by a child that is wired', async () => {
  const parent = container.createChildContainer();
  parent.register(DISK_FORMAT, { useValue: plain });
  parent.register(DISK_FORMAT, { useValue: overlay });
  parent.register(STORAGE_DRIVER, { useValue: memoryDriver(FILES) });
  const child = parent.createChildContainer();
  registerDisks(child);
  expect(await baseByte(child.resolve(DISKS), '/img/top')).toBe(7);
  expect(parent.isRegistered(DISKS)).toBe(false);
});

test('a child of a wired container can have its own service, and keeps the others', async () => {
  const parent = wired();
  parent.register(VOLUME_MANAGER, { useValue: managerOf(1) });
  const [first, second] = [parent.createChildContainer(), parent.createChildContainer()];
  first.register(VOLUME_MANAGER, { useValue: managerOf(2) });
  second.register(VOLUME_MANAGER, { useValue: managerOf(3) });
  const bytes: (number | undefined)[] = [];
  for (const one of [first, parent, second, first]) {
    bytes.push(await baseByte(one.resolve(DISKS), '/img/on-volume'));
  }
  expect(bytes).toEqual([2, 1, 3, 2]);
});

test('a child of a wired container can replace the formats of the parent', () => {
  const parent = wired();
  const child = parent.createChildContainer();
  child.register(DISK_FORMAT, { useValue: { ...plain, name: 'own' } });
  const names = (one: DependencyContainer) => one.resolve(PROBE_REGISTRY).formats.map(({ name }) => name);
  expect(names(child)).toEqual(['own']);
  expect(names(parent)).toEqual(['plain', 'overlay']);
});

test('createDisks does the same wiring without a container', async () => {
  const { format, contexts } = recording();
  const logger: Logger = { warn: vi.fn(), debug: vi.fn() };
  const options = {
    formats: [format, overlay],
    drivers: [memoryDriver(FILES)],
    volumeManager: managerOf(5),
    logger,
    limits: { maxTableBytes: 97 },
  };
  const child = container.createChildContainer();
  registerDisks(child, options);
  for (const disks of [createDisks(options), child.resolve(DISKS)]) {
    expect(await baseByte(disks, '/img/top')).toBe(7);
    expect(await baseByte(disks, '/img/on-volume')).toBe(5);
    expect(disks.registry.formats).toEqual([format, overlay]);
  }
  const [one, , other] = contexts;
  expect(one?.limits).toEqual({ ...DEFAULT_LIMITS, maxTableBytes: 97 });
  expect(other).toMatchObject({ limits: one?.limits, codecs: one?.codecs });
  expect(other?.logger).toBe(logger);
});
