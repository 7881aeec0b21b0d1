import { expect, test } from 'vitest';
import { hex, printable, quote } from '../../src/errors/text.ts';
import { isWithin, posixNames } from '../../src/stack/location-names.ts';
import { basename, dirname, resolvePath } from '../../src/stack/paths.ts';

test.for([
  ['base.qcow2', '"base.qcow2"'],
  ['', '""'],
  ['a "b" \\c', '"a \\"b\\" \\\\c"'],
  ['\u0000', '"\\u0000"'],
  ['a\r\nb\tc', '"a\\u000d\\u000ab\\u0009c"'],
  ['\u001b[2J', '"\\u001b[2J"'],
  ['\u007f\u0085\u009b', '"\\u007f\\u0085\\u009b"'],
  ['\u2028\u2029', '"\\u2028\\u2029"'],
  ['gpj.\u202egnp', '"gpj.\\u202egnp"'],
  ['\u2066x\u2069\u200f\u061c', '"\\u2066x\\u2069\\u200f\\u061c"'],
  ['\u200b\ufeff', '"\\u200b\\ufeff"'],
  ['\ud800x', '"\\ud800x"'],
  ['x\udfff', '"x\\udfff"'],
  ['Größe 日本 😀', '"Größe 日本 😀"'],
] as const)('%j is printed as %s', ([name, quoted]) => {
  expect(quote(name)).toBe(quoted);
});

test('quote returns one line of printable characters', () => {
  const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Bidi_Control}]/u;
  const all = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code));
  expect(all.filter((char) => unprintable.test(quote(char)))).toEqual([]);
});

test('numbers in hexadecimal', () => {
  expect([hex(0), hex(31), hex(2 ** 40)]).toEqual(['0x0', '0x1f', '0x10000000000']);
});

test.for([
  ['disk.qcow2', '.', 'disk.qcow2'],
  ['/disk.qcow2', '/', 'disk.qcow2'],
  ['/a/b/disk.qcow2', '/a/b', 'disk.qcow2'],
  ['a/b', 'a', 'b'],
  ['/', '/', ''],
  ['', '.', ''],
  ['a/', 'a', ''],
] as const)('%j is in %j and named %j', ([path, folder, name]) => {
  expect([dirname(path), basename(path)]).toEqual([folder, name]);
});

test.for([
  ['/a/b', 'c', '/a/b/c'],
  ['/a/b', './c', '/a/b/c'],
  ['/a/b', '../c', '/a/c'],
  ['/a/b', '../../c', '/c'],
  ['/a/b', '../../../../c', '/c'],
  ['/a/b', '/c/./d/../e', '/c/e'],
  ['/a/b', '/..', '/'],
  ['/a//b/', 'c//d/', '/a/b/c/d'],
  ['/', 'c', '/c'],
  ['.', 'c', 'c'],
  ['.', '../c', '../c'],
  ['a', '../../../c', '../../c'],
  ['a', '..', '.'],
  ['a', '..x', 'a/..x'],
  ['a', '...', 'a/...'],
  ['', 'c', 'c'],
] as const)('from %j, %j is %j', ([folder, name, path]) => {
  expect(resolvePath(folder, name)).toBe(path);
});

test.for([
  ['/a/b', '/a', true],
  ['/a', '/a', true],
  ['/ab', '/a', false],
  ['/', '/a', false],
  ['/b', '/', true],
  ['/', '/', true],
  ['/a/../b', '/b', false],
] as const)('%j within %j: %j', ([path, folder, within]) => {
  expect(isWithin(posixNames(), path, folder)).toBe(within);
});

test.for([
  ['/img/a b', '/img/a b'],
  ['a "b"', '"a \\"b\\""'],
  ['a\u001b[2J\n\u202eb', '"a\\u001b[2J\\u000a\\u202eb"'],
] as const)('a name that needs no quotes has none: %j reads %s', ([name, text]) => {
  expect(printable(name)).toBe(text);
});
