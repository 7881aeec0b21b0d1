import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { type ConfigScalar, type ConfigValue, parseConfig, serializeConfig } from '../../src/index.ts';
import { fixtureText } from '../support/fixtures.ts';

/** Value of the key `x` of a text. */
function xOf(text: string): ConfigValue | undefined {
  const [node] = parseConfig(text).nodes;
  return node !== undefined && 'value' in node ? node.value : undefined;
}

describe('values', () => {
  test.for<readonly [string, ConfigValue]>([
    ['x = 12', 12n],
    ['x=-7', -7n],
    ['x = +7', 7n],
    ['x = 010', 8n],
    ['x = 1.5', 1.5],
    ['x = .5', 0.5],
    ['x = -2.25', -2.25],
    ['x = 9223372036854775807', 9223372036854775807n],
    ['x = "plain"', 'plain'],
    ['x = "with \\"quotes\\" and \\\\"', 'with "quotes" and \\'],
    ['x = "an escape of \\n stays"', 'an escape of \\n stays'],
    ['x = "# = , [ ] { }"', '# = , [ ] { }'],
    ["x = 'literal \\ \"'", 'literal \\ "'],
    ['x = bare', 'bare'],
    ['x = bare/word:1', 'bare/word:1'],
    ['x = []', []],
    ['x = [ 1, "two", 3.5, four ]', [1n, 'two', 3.5, 'four']],
    ['x = [ "a" "b" ]', ['a', 'b']],
    ['x = [\n# a comment ]\n"a", # another "\n"b",\n]', ['a', 'b']],
  ])('%s', ([text, want]) => {
    expect(xOf(text)).toEqual(want);
  });
});

describe('structure', () => {
  test('sections, quoted keys, keys that begin with a digit, a slash that makes sections', () => {
    const text = `a { 'b c' = 1 "d\\"e" { } 1lv { x=2 } f/g = 3 }`;
    expect(parseConfig(text).nodes).toEqual([
      {
        key: 'a',
        nodes: [
          { key: 'b c', value: 1n },
          { key: 'd"e', nodes: [] },
          { key: '1lv', nodes: [{ key: 'x', value: 2n }] },
          { key: 'f', nodes: [{ key: 'g', value: 3n }] },
        ],
      },
    ]);
  });

  test('a NUL ends the text', () => {
    expect(parseConfig('a = 1\n\0 } } }').nodes).toEqual([{ key: 'a', value: 1n }]);
  });

  test.for([
    ['a {', 'line 1: } expected'],
    ['a = 1\nb', 'line 2: { or = expected'],
    ['a = [ 1, 2', 'a value expected'],
    ['a = "open', 'the end of a string expected'],
    ['= 1', 'a key expected'],
    ['a = 99999999999999999999999', 'a value expected'],
    ['a = 089', 'a value expected'],
    ['"" = 1', 'a key that is not empty expected'],
    ['}', 'a key expected'],
  ] as const)('refused: %s', async ([text, reason]) => {
    const error = await diskErrorOf(() => parseConfig(text));
    expect(error.code).toBe('ERR_CORRUPT');
    expect(error.reason).toContain(reason);
  });

  test('sections without end inside of each other, and more keys than any group has', async () => {
    expect((await diskErrorOf(() => parseConfig('a{'.repeat(100_000)))).code).toBe('ERR_LIMIT');
    expect((await diskErrorOf(() => parseConfig('a/'.repeat(100_000).concat('b=1')))).code).toBe('ERR_LIMIT');
    expect((await diskErrorOf(() => parseConfig('a=1 '.repeat(600_000)))).code).toBe('ERR_LIMIT');
  });
});

describe('round trips', () => {
  test('what is written again parses to the same', () => {
    const parsed = parseConfig(fixtureText('lvm-alltypes', 'vg.txt'));
    expect(parsed.nodes.length).toBeGreaterThan(3);
    expect(parseConfig(serializeConfig(parsed))).toEqual(parsed);
  });

  test.for<ConfigScalar>([
    'a "b" \\ c\n# = [ ] { } \'',
    '',
    'ö\u{1f600}',
    -5n,
    0n,
    0.1,
    -2.5,
    1e-7,
    123456.789,
  ])('%s', (value) => {
    const root = {
      key: '',
      nodes: [{ key: 'key with "quotes"', nodes: [{ key: 'x', value: [value, value] }] }],
    };
    expect(parseConfig(serializeConfig(root))).toEqual(root);
  });
});
