// `pnpm demo`: runs the command line on real images, and compares their content with what qemu-img read when they were made.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('..', import.meta.url).pathname;
const images = join(root, 'examples/images');
const command = join(root, 'packages/cli/bin/diskstack.js');
const manifest: { content: Record<string, string> } = JSON.parse(
  readFileSync(join(images, 'MANIFEST.json'), 'utf8'),
);
const scratch = mkdtempSync(join(tmpdir(), 'diskstack-demo-'));

function say(text: string): void {
  console.log(`\n\x1b[1m${text}\x1b[0m`);
}

function diskstack(...args: string[]): void {
  const shown = args.map((arg) => arg.replace(`${scratch}/`, '/tmp/'));
  console.log(`\x1b[2m$ diskstack ${shown.join(' ')}\x1b[0m`);
  const { status } = spawnSync(process.execPath, [command, ...args], { cwd: images, stdio: 'inherit' });
  if (status !== 0) throw new Error(`diskstack ${args.join(' ')} ended with ${status}`);
}

/** Converts the image to raw and compares its SHA-256 with qemu-img's. */
function prove(image: string, ...options: string[]): void {
  const output = join(scratch, `${image}.raw`);
  diskstack('convert', '-O', 'raw', ...options, image, output);
  const sha256 = createHash('sha256').update(readFileSync(output)).digest('hex');
  if (sha256 !== manifest.content[image]) {
    throw new Error(`${image} reads as ${sha256}, but qemu-img read ${manifest.content[image]}`);
  }
  console.log(`sha256 ${sha256}, the same as qemu-img's`);
}

try {
  say(
    'A chain of three QCOW2 images: plain clusters, compressed ones (zlib and zstd), zero clusters, sub-clusters',
  );
  diskstack('info', '--backing-chain', 'top.qcow2');
  diskstack('map', 'top.qcow2');
  diskstack('map', '--output', 'json', 'top.qcow2');
  prove('top.qcow2');

  say('A QCOW2 overlay whose backing file is a logical volume: an image in /dev/vg0/golden');
  const volume = ['--volume', '/dev/vg0/golden=lv-golden.img'];
  diskstack('info', '--backing-chain', ...volume, 'overlay.qcow2');
  diskstack('read', ...volume, 'overlay.qcow2', '0x7ff0', '32');
  prove('overlay.qcow2', ...volume);
  say('Everything reads as it does with qemu-img.');
} finally {
  rmSync(scratch, { recursive: true });
}
