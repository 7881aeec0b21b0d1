// Bundles the command into one file, and one more for each command and format that is loaded on demand. Opening two hundred
// modules takes longer than most of the work that they do.
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'rolldown';

/**
 * commander can start a command as a separate program. We have no such command, and loading `node:child_process` takes a tenth
 * of the time of `diskstack info`.
 */
const withoutSubprograms: Plugin = {
  name: 'without-subprograms',
  resolveId: (id, importer) =>
    id === 'node:child_process' && importer?.includes('commander') ? NOTHING : undefined,
  load: (id) => (id === NOTHING ? 'export default {};' : undefined),
};
const NOTHING = '\0nothing';

const inPackages = (path: string): string => fileURLToPath(new URL(`../packages/${path}`, import.meta.url));

await build({
  input: {
    main: inPackages('cli/dist/main.js'),
    // A thread begins with a file of its own, which core looks for beside the code that starts it.
    'decompress-worker': inPackages('core/dist/node/zlib/decompress-worker.js'),
  },
  platform: 'node',
  plugins: [withoutSubprograms],
  resolve: { mainFields: ['es2015', 'module', 'main'] }, // the ES modules of tsyringe, whose unused parts are left out
  output: {
    dir: inPackages('cli/bundle'),
    cleanDir: true,
    // Node opens CommonJS in two thirds of the time: nothing is linked, and built-in modules are not wrapped.
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name]-[hash].cjs',
    // Modules that most commands share are one file: opening a file takes longer than the code in it.
    codeSplitting: {
      groups: [{ name: 'common', test: /packages.(core|cli|qcow|raw).dist/, minShareCount: 4 }],
    },
    minify: true,
  },
  logLevel: 'warn',
});
