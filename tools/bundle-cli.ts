// Bundles the command line into one main file, and one file for each command and format that is loaded on demand. Loading two
// hundred modules takes longer than most commands.
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'rolldown';

/**
 * commander can run a subcommand as a separate program. diskstack has no such subcommand, and loading `node:child_process` takes
 * a tenth of the time of `diskstack info`.
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
    // A thread needs a file of its own. core looks for it beside the code that starts the thread.
    'decompress-worker': inPackages('core/dist/node/zlib/decompress-worker.js'),
  },
  platform: 'node',
  plugins: [withoutSubprograms],
  resolve: { mainFields: ['es2015', 'module', 'main'] }, // selects the ES modules of tsyringe, so that unused parts are dropped
  output: {
    dir: inPackages('cli/bundle'),
    cleanDir: true,
    // Node loads CommonJS in two thirds of the time: it links nothing and does not wrap built-in modules.
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name]-[hash].cjs',
    // Modules that most commands share are one file: opening a file takes longer than the code in it.
    codeSplitting: {
      groups: [{ name: 'common', test: /packages.(core|cli|qcow|raw).dist/, minShareCount: 8 }],
    },
    minify: true,
  },
  logLevel: 'warn',
});
