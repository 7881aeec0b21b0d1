import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { create, describeWithQemu } from '../support/qemu.ts';
import { output } from '../support/run-cli.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
writeFileSync(join(folder, 'some.raw'), 'whatever');

describe('formats', () => {
  it('lists what can be opened', async () => {
    const known: { name: string; title: string }[] = JSON.parse(
      await output(folder, 'formats', '--output', 'json'),
    );
    expect(known.map(({ name }) => name)).toEqual(['qcow', 'qcow2', 'raw']);
    expect(await output(folder, 'formats')).toBe(
      known.map(({ name, title }) => `${name.padEnd(5)}  ${title}\n`).join(''),
    );
  });
});

describe('probe', () => {
  it('falls back to raw', async () => {
    expect(await output(folder, 'probe', 'some.raw')).toBe('raw  fallback   raw bytes\n');
  });
});

describeWithQemu('probe of images', () => {
  it.for([
    ['qcow2', 'compat=0.10'],
    ['qcow2', 'compat=1.1'],
    ['qcow', undefined],
  ] as const)('tells the surest format first: %s, %s', async ([format, o]) => {
    create(folder, 'image', format, '1M', o === undefined ? {} : { o });
    const found = JSON.parse(await output(folder, 'probe', '--output', 'json', 'image'));
    expect(found).toMatchObject({ filename: 'image', format });
    expect(found.matches.map(({ format, rank }: Record<string, string>) => [format, rank])).toEqual([
      [format, 'magic'],
      ['raw', 'fallback'],
    ]);
    expect((await output(folder, 'probe', 'image')).split('\n')[0]).toMatch(
      new RegExp(`^${format} +magic +\\S`),
    );
  });
});
