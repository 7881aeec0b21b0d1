import { expect, test } from 'vitest';
import { runExample } from '../../run-example.ts';

test('reads the end of a hole and the start of the top layer', async () => {
  expect(await runExample('read-chain')).toBe(
    'QCOW, 1572864 bytes; around 100 KiB: 33 33 33 33 49 49 49 49\n',
  );
});
