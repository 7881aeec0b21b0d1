import { expect, test } from 'vitest';
import { checkFile, numbersOf } from '../support/check.ts';
import { DAMAGES } from '../support/damages.ts';
import { patchImage } from '../support/image-patch.ts';
import { checkWithQemu, describeWithQemu, plainSource } from '../support/qemu.ts';
import { tempFolder } from '../support/temp-folder.ts';

describeWithQemu('check of a damaged image', () => {
  const temp = tempFolder();
  for (const [name, damage] of Object.entries(DAMAGES)) {
    const { build, patch, keep, harmless = false, overlap = false, unopenable = false } = damage;
    test.concurrent(`${name}: ${overlap || unopenable ? 'it is found' : "the numbers are qemu-img's"}`, async () => {
      const path = await build(await temp.next());
      const clean = numbersOf(await checkFile(path));
      await patchImage(path, patch, keep);
      const report = await checkFile(path);
      const numbers = numbersOf(report);
      if (overlap || unopenable) {
        expect(numbers.corruptions).toBeGreaterThan(0);
        return;
      }
      expect(numbers, JSON.stringify(report.findings)).toEqual(
        await checkWithQemu(...plainSource(path, 'qcow2')),
      );
      if (harmless) expect(numbers).toEqual(clean);
      else expect(numbers).not.toEqual(clean);
    });
  }
});
