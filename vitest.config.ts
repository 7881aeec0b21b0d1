import { existsSync } from 'node:fs';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { ClosingLineReporter } from './tools/closing-line-reporter.ts';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 15)) {
  throw new Error(`Node ${process.versions.node} is too old: the tests need 22.15 or later`);
}

const candidates = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const chromium = process.env.CHROMIUM_PATH ?? candidates.find(existsSync) ?? '';
const hasChromium = existsSync(chromium);
const notes = hasChromium
  ? []
  : ['WARNING: no Chromium found, so the browser tests do NOT run (install it, or set CHROMIUM_PATH)'];
for (const note of notes) console.warn(`\n${note}\n`);

export default defineConfig({
  resolve: { conditions: ['@diskstack/source', 'module', 'browser', 'development|production'] },
  ssr: { resolve: { conditions: ['@diskstack/source', 'module', 'node', 'development|production'] } },
  oxc: { decorator: { legacy: true } },
  test: {
    testTimeout: 120_000,
    maxWorkers: '100%', // one of two processors would be left idle
    reporters: ['default', new ClosingLineReporter(notes)],
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          include: [
            'packages/*/test/**/*.test.ts',
            'examples/*/test/**/*.test.ts',
            'tools/test/**/*.test.ts',
          ],
          exclude: ['**/*.browser.test.ts', '**/node_modules/**'],
        },
      },
      ...(hasChromium
        ? [
            {
              extends: true as const,
              test: {
                name: 'browser',
                include: ['packages/*/test/**/*.browser.test.ts', 'examples/*/test/**/*.browser.test.ts'],
                browser: {
                  enabled: true,
                  headless: true,
                  screenshotFailures: false,
                  provider: playwright({
                    launchOptions: {
                      executablePath: chromium,
                      args: [
                        '--no-sandbox',
                        '--disable-gpu',
                        '--disable-quic',
                        '--no-first-run',
                        '--disable-background-networking',
                        '--disable-component-update',
                        '--disable-sync',
                      ],
                    },
                  }),
                  instances: [{ browser: 'chromium' as const }],
                },
              },
            },
          ]
        : []),
    ],
  },
});
