import { expect, test } from 'vitest';
import { userEvent } from 'vitest/browser';
import { showDisk } from '../src/show-disk.ts';

async function image(name: string): Promise<File> {
  const response = await fetch(new URL(`../../images/${name}`, import.meta.url));
  return new File([await response.arrayBuffer()], name);
}

test('a QCOW2 file of the visitor is opened, mapped and read', async () => {
  const text = await showDisk(await image('base.qcow2'));

  expect(text.split('\n')).toEqual([
    'QCOW: 1048576 bytes',
    '0 +262144 data',
    '262144 +352256 zero',
    '614400 +40960 data',
    '655360 +393216 zero',
    `starts with ${Array(16).fill('11').join(' ')}`,
  ]);
});

test('choosing a file in the page shows the disk', async () => {
  document.body.innerHTML = '<input id="image" type="file"><pre id="disk"></pre>';
  await import('../src/main.ts');

  await userEvent.upload(document.querySelector('#image') as HTMLInputElement, await image('base.qcow2'));

  await expect.poll(() => document.querySelector('#disk')?.textContent).toContain('QCOW: 1048576 bytes');
});

test('an overlay that needs a file which the page was not given says so', async () => {
  await expect(showDisk(await image('top.qcow2'))).rejects.toMatchObject({ code: 'ERR_BACKING_DENIED' });
});
