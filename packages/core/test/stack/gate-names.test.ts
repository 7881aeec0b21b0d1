import { expect, test } from 'vitest';
import type { BackingRequest } from '../../src/stack/backing-gate.ts';
import { diskErrorOf } from '../../src/testing/index.ts';
import { BLOCK, overlayImage } from '../support/overlay-format.ts';
import { filled, world } from '../support/stack-world.ts';

const other = () => world({ '/img/base': filled(8), '/img/sub/base': filled(9) }, { scheme: 'other' }).driver;

test.for([
  'other:base',
  'other:/img/base',
  'json:{"driver":"file"}',
  'nbd://host/export',
  'C:\\disk',
  'a:',
] as const)('refuses the scheme of %j unless it is allowed', async (base) => {
  const { driver } = world({ '/img/top': overlayImage({ base }) });
  const { disks } = world({}, { drivers: [driver, other()] });
  const error = await diskErrorOf(() => disks.open('/img/top'));
  expect(error.code).toBe('ERR_BACKING_DENIED');
  expect(error.reason).toContain('allowSchemes');
  expect(error).toMatchObject({ hint: { option: 'allowSchemes' } });
  expect(driver.opened).toBe(1);
});

test('refuses a scheme even where a file of that name is there', async () => {
  const { disks } = world({ '/img/top': overlayImage({ base: 'a:b' }), '/img/a:b': filled(7) });
  expect((await diskErrorOf(() => disks.open('/img/top'))).code).toBe('ERR_BACKING_DENIED');
});

test('a name with a colon after a slash has no scheme', async () => {
  const { disks } = world({ '/img/top': overlayImage({ base: './a:b' }), '/img/a:b': filled(7) });
  await using top = await disks.open('/img/top');
  expect((await top.read(BLOCK, 1))[0]).toBe(7);
});

test.for([['json'], ['nbd'], ['OTHER']] as const)(
  'an allowed scheme %j without a driver is refused',
  async ([scheme]) => {
    const { driver } = world({ '/img/top': overlayImage({ base: `${scheme}:/img/base` }) });
    const { disks } = world({}, { drivers: [driver, other()] });
    const error = await diskErrorOf(() => disks.open('/img/top', { allowSchemes: [scheme] }));
    expect(error.code).toBe('ERR_BACKING_DENIED');
  },
);

test('an allowed scheme reaches its driver, below the folders that the caller allows', async () => {
  const { driver } = world({ '/img/top': overlayImage({ base: 'other:/img/base' }), '/img/base': filled(7) });
  const second = other();
  const { disks } = world({}, { drivers: [driver, second] });
  await using top = await disks.open('/img/top', { allowSchemes: ['other'], allowBacking: ['/img'] });
  expect((await top.read(BLOCK, 1))[0]).toBe(8);
  expect(second.openPaths).toEqual(['/img/base']);
});

test('the folder of the image is no root in the name space of another driver', async () => {
  const { driver } = world({ '/img/top': overlayImage({ base: 'other:/img/base' }) });
  const second = other();
  const { disks } = world({}, { drivers: [driver, second] });
  const error = await diskErrorOf(() => disks.open('/img/top', { allowSchemes: ['other'] }));
  expect(error.code).toBe('ERR_BACKING_DENIED');
  expect(second.opened).toBe(0);
});

test('a scheme that is allowed does not open the gate for its paths', async () => {
  const { driver } = world({ '/img/top': overlayImage({ base: 'other:/etc/base' }) });
  const second = world({ '/etc/base': filled(8) }, { scheme: 'other' }).driver;
  const { disks } = world({}, { drivers: [driver, second] });
  const error = await diskErrorOf(() => disks.open('/img/top', { allowSchemes: ['other'] }));
  expect(error.code).toBe('ERR_BACKING_DENIED');
  expect(second.opened).toBe(0);
});

test('allowBacking may name a folder that only the driver of the scheme knows', async () => {
  const { driver } = world({ '/img/top': overlayImage({ base: 'other:/golden/base' }) });
  const second = world({ '/golden/base': filled(8) }, { scheme: 'other' }).driver;
  const { disks } = world({}, { drivers: [driver, second] });
  await using top = await disks.open('/img/top', { allowSchemes: ['other'], allowBacking: ['/golden'] });
  expect((await top.read(BLOCK, 1))[0]).toBe(8);
});

test('a name in a base that a scheme led to is looked up where that base is', async () => {
  const { driver } = world({
    '/img/top': overlayImage({ base: 'other:/img/middle' }),
    '/img/base': filled(7),
  });
  const second = world(
    { '/img/middle': overlayImage({ base: 'base', owned: 2 }), '/img/base': filled(8) },
    { scheme: 'other' },
  ).driver;
  const { disks } = world({}, { drivers: [driver, second] });
  await using top = await disks.open('/img/top', { allowSchemes: ['other'], allowBacking: ['/img'] });
  expect((await top.read(2 * BLOCK, 1))[0]).toBe(8);
});

test.for([
  ['empty', '', ''],
  ['NUL', 'base\0.raw', '"base\\u0000.raw"'],
  ['a NUL at the end', 'base\0', '"base\\u0000"'],
  ['NUL alone', '\0', '"\\u0000"'],
] as const)('refuses a name that is %s', async ([, base, quoted]) => {
  const { disks, driver } = world({ '/img/top': overlayImage({ base }), '/img/base': filled(7) });
  const error = await diskErrorOf(() => disks.open('/img/top'));
  expect(error).toMatchObject({ code: 'ERR_BACKING_DENIED', offset: 16 });
  expect(error.reason).toContain(`${quoted}, which cannot be a file name`);
  expect(driver.opened).toBe(1);
});

test.for([
  ['a stray byte', [0x62, 0xff, 0x62]],
  ['a name cut short', [0x62, 0xc3]],
  ['an overlong slash', [0x2e, 0x2e, 0xc0, 0xaf, 0x62]],
  ['a surrogate', [0xed, 0xa0, 0x80]],
] as const)('refuses a name that is not UTF-8: %s', async ([, bytes]) => {
  const { disks } = world({ '/img/top': overlayImage({ base: Uint8Array.from(bytes) }) });
  const error = await diskErrorOf(() => disks.open('/img/top'));
  expect(error.code).toBe('ERR_BACKING_DENIED');
  expect(error.reason).toContain('not UTF-8');
});

/** What no message may hold: control characters, and those that turn the direction of text. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
const EVIL = 'a\u001b[31m\r\n\u202egpj.\u2028\u200b\u0007';

test.for([
  ['denied', { '/img/top': overlayImage({ base: `/etc/${EVIL}` }) }],
  ['denied for its scheme', { '/img/top': overlayImage({ base: `nbd:${EVIL}` }) }],
  ['no file name', { '/img/top': overlayImage({ base: `${EVIL}\0` }) }],
  ['not UTF-8', { '/img/top': overlayImage({ base: Uint8Array.of(0x1b, 0xff) }) }],
  ['missing', { '/img/top': overlayImage({ base: EVIL }) }],
  ['missing in a folder', { '/img/top': overlayImage({ base: `${EVIL}/b` }), [`/img/${EVIL}/c`]: filled(1) }],
  ['a loop', { '/img/top': overlayImage({ base: EVIL }), [`/img/${EVIL}`]: overlayImage({ base: EVIL }) }],
  ['corrupt', { '/img/top': overlayImage({ base: EVIL }), [`/img/${EVIL}`]: overlayImage({ version: 3 }) }],
  [
    'cut short',
    { '/img/top': overlayImage({ base: EVIL, format: 'overlay' }), [`/img/${EVIL}`]: filled(1, 9) },
  ],
  ['of an unknown format', { '/img/top': overlayImage({ base: 'b', format: EVIL }), '/img/b': filled(1) }],
] as const)('a name that is %s never appears raw in the message', async ([, entries]) => {
  const { disks } = world(entries);
  const { message, reason } = await diskErrorOf(() => disks.open('/img/top'));
  expect(reason).not.toMatch(UNSAFE);
  expect(message).not.toMatch(UNSAFE);
});

test('the log quotes every name', async () => {
  const lines: string[] = [];
  const log = (message: string): void => {
    lines.push(message);
  };
  const { disks } = world(
    { '/img/top': overlayImage({ base: EVIL }), [`/img/${EVIL}`]: filled(1) },
    { logger: { warn: log, debug: log } },
  );
  await using _top = await disks.open('/img/top');
  expect(lines).not.toEqual([]);
  for (const line of lines) expect(line).not.toMatch(UNSAFE);
});

test('a gate sees the name as the image has it, and where the image is', async () => {
  const seen: BackingRequest[] = [];
  const { disks, driver } = world(
    { '/img/top': overlayImage({ base: '../a/./b' }) },
    {
      gate: async (request) => {
        seen.push(request);
        return undefined;
      },
    },
  );
  const error = await diskErrorOf(() => disks.open('/img/top', { allowBacking: ['/'] }));
  expect(error.code).toBe('ERR_BACKING_DENIED');
  expect(seen).toEqual([
    {
      name: '../a/./b',
      image: '/img/top',
      home: '/img/top',
      driver: expect.objectContaining({ schemes: driver.schemes }) as unknown,
      uuid: undefined,
      origin: undefined,
      use: 'base',
      writable: false,
      roots: ['/img', '/'],
    },
  ]);
});
