#!/usr/bin/env node
// Without a handler Node opens a debugger on SIGUSR1, to every user of the computer.
process.on('SIGUSR1', () => {});
if (!process.execArgv.some((option) => option.startsWith('--inspect'))) {
  // One that came before this line has opened it, or is about to: it is closed again. Later, because `node:inspector` takes 4 ms to
  // load: most commands have ended by then.
  setTimeout(() => {
    const { close, url } = require('node:inspector');
    if (url() !== undefined) close();
  }, 100).unref();
}
require('../bundle/main.cjs');
