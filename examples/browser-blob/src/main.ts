// The script of index.html. Describes the disk image that the visitor chooses.
import { showDisk } from './show-disk.ts';

const input = document.querySelector<HTMLInputElement>('#image');
const output = document.querySelector<HTMLPreElement>('#disk');

input?.addEventListener('change', () => {
  const file = input.files?.[0];
  if (file === undefined || output === null) return;
  showDisk(file).then(
    (text) => {
      output.textContent = text;
    },
    (error: unknown) => {
      output.textContent = String(error);
    },
  );
});
