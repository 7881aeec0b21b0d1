import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { counting, endlessImage } from './support/images.ts';
import { describeWithQemu, qemuImg } from './support/qemu.ts';
import { finished, start } from './support/run-cli.ts';
import { tempFolder } from './support/temp-folder.ts';

const folder = tempFolder();
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const node = `"${process.execPath}" --conditions=@diskstack/source --disable-warning=ExperimentalWarning "${main}"`;

interface ShellRun {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a shell script in which `$CLI` is the command; one that does not end is killed, and its status is null. */
function shell(script: string, cwd = folder): Promise<ShellRun> {
  const child = spawn('bash', ['-c', script.replaceAll('$CLI', node)], {
    cwd,
    env: { ...process.env, NO_COLOR: '1' },
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 40_000);
  return finished(child)
    .then(({ status, stdout, stderr }) => ({ status, stdout: stdout.toString(), stderr }))
    .finally(() => clearTimeout(timer));
}

writeFileSync(join(folder, 'disk.raw'), counting(8 * 1024 * 1024));

/** Whether a process has a file of this name open. */
function hasOpen(pid: number | undefined, name: string): boolean {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).some((fd) => {
    try {
      return readlinkSync(join(folder, fd)).endsWith(`/${name}`);
    } catch {
      return false; // closed meanwhile
    }
  });
}

describeWithQemu('SIGUSR1', () => {
  endlessImage(folder, 'endless.qcow2');

  test('prints the progress, and opens no debugger', async () => {
    const child = start(['digest', 'endless.qcow2'], folder);
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const run = finished(child);
    // The command handles the signal before it opens an image. Node, which starts before that, opens its debugger.
    let isOpen = false;
    for (let tries = 0; tries < 1000 && !stderr.includes('100%)'); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      isOpen ||= hasOpen(child.pid, 'endless.qcow2');
      if (isOpen) child.kill('SIGUSR1');
    }
    child.kill('SIGTERM');
    expect((await run).status).toBe(143);
    expect(stderr).toMatch(/^( {4}\(\d+\.\d\d\/100%\)\n)+diskstack: ERR_ABORTED: interrupted by SIGTERM\n$/);
    expect(stderr).not.toContain('Debugger');
  });
});

describeWithQemu('a disk that is full', () => {
  test.each(['raw', 'qcow2'])(
    'keeps resize --preallocation of a %s image from changing its size',
    async (format) => {
      const name = `full.${format}`;
      qemuImg(folder, 'create', '-q', '-f', format, name, '512k');
      // A file may have 1 MiB.
      const { status, stderr } = await shell(
        `ulimit -f 1024; $CLI resize -f ${format} --preallocation full ${name} +4M`,
      );
      expect([status, stderr]).toEqual([1, expect.stringMatching(/^diskstack: ERR_/)]);
      const info = JSON.parse(qemuImg(folder, 'info', '-f', format, '--output', 'json', name));
      expect(info['virtual-size']).toBe(512 * 1024);
    },
  );
});

describe('a reader that goes away', () => {
  mkdirSync(join(folder, 'pipes'));
  const inside = join(folder, 'pipes');

  /** The exit status of the first command of a pipeline. */
  async function statusOf(pipeline: string): Promise<string> {
    await shell(`${pipeline}; echo "\${PIPESTATUS[0]}" > ../status`, inside);
    return readFileSync(join(folder, 'status'), 'utf8').trim();
  }

  test.each([
    ['progress and errors', '$CLI convert -p ../disk.raw out.raw 2>&1 | head -c 1'],
    ['progress', '$CLI convert -p ../disk.raw out.raw | head -c 1'],
    ['nothing at all', '$CLI convert -p ../disk.raw out.raw 2>&1 | true'],
  ])('of %s leaves a whole image', async (_, pipeline) => {
    expect(await statusOf(pipeline)).toBe('0');
    expect(readdirSync(inside)).toEqual(['out.raw']);
    expect(readFileSync(join(inside, 'out.raw')).equals(readFileSync(join(folder, 'disk.raw')))).toBe(true);
  });

  test('of errors gets the exit status', async () => {
    expect(await statusOf('$CLI convert ../no-such.raw out2.raw 2>&1 >/dev/null | true')).toBe('1');
  });

  test('of the message about a new image, which is made all the same', async () => {
    expect(await statusOf('$CLI create -f qcow2 new.qcow2 1M | true')).toBe('0');
    expect(existsSync(join(inside, 'new.qcow2'))).toBe(true);
  });
});

describe('a name that is not UTF-8', () => {
  mkdirSync(join(folder, 'names'));
  const inside = join(folder, 'names');

  test('is refused, and the file with the nearest name is not written over', async () => {
    writeFileSync(join(inside, 'a\ufffd'), 'precious');
    const { status, stderr } = await shell('$CLI convert ../disk.raw "$(printf "a\\377")"', inside);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^diskstack: ERR_ARGUMENT: the argument "a\ufffd" is not UTF-8/);
    expect(readFileSync(join(inside, 'a\ufffd'), 'utf8')).toBe('precious');
    expect(readdirSync(inside)).toEqual(['a\ufffd']);
  });

  test('does not prevent a name that contains that character itself', async () => {
    const { status } = await shell('$CLI convert ../disk.raw "a\ufffd"', inside);
    expect(status).toBe(0);
    expect(readFileSync(join(inside, 'a\ufffd')).length).toBe(8 * 1024 * 1024);
  });
});

describeWithQemu('a link to a name that is not UTF-8', () => {
  mkdirSync(join(folder, 'links'));
  const inside = join(folder, 'links');

  test('is not followed to the file with the nearest name', async () => {
    await shell(
      'printf secret > "$(printf "b\\377")"; printf other > "b\ufffd"; ln -s "$(printf "b\\377")" link.raw',
      inside,
    );
    qemuImg(
      inside,
      ...['create', '-q', '-u', '-f', 'qcow2', '-b', 'link.raw', '-F', 'raw', 'top.qcow2', '1M'],
    );
    const { status, stderr } = await shell('$CLI read --raw top.qcow2 0 512', inside);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^diskstack: ERR_UNSUPPORTED: .*not UTF-8/);
  });
});
