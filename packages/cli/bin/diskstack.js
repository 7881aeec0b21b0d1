#!/usr/bin/env -S node --disable-sigusr1
// Started without its first line (`node diskstack.js`), Node opens a debugger on SIGUSR1 until somebody listens to it.
process.on('SIGUSR1', () => {});
require('../bundle/main.cjs');
