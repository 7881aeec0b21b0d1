import { expect, test } from 'vitest';
import { runExample } from '../../run-example.ts';

test('the overlay in a logical volume finds its backing volume, and the file system of the guest is reached', async () => {
  const output = await runExample('appliance');
  expect(output).toContain(
    'on: qcow2 "lun#lv:6f1c8b1e-0000-4000-8000-0000000000a1/aaaa0000-0000-4000-8000-000000000001"',
  );
  expect(output).toContain('root: 37748736 bytes, magic 0xef53\n');
});
