#!/usr/bin/env -S node --disable-sigusr1
// Started as `node diskstack.js`, Node opens a debugger on SIGUSR1 until a handler is there.
process.on('SIGUSR1', () => {});
require('../bundle/main.cjs');
