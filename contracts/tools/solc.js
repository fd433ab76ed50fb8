#!/usr/bin/env node
// The solc command line that forge and foundry-compilers expect, over the npm package `solc`
// (WASM): `--version`, or `--standard-json` with the input on stdin. Path flags are accepted and
// ignored, since standard JSON from forge carries every source inline. The output is byte-identical
// to that of a native solc.
'use strict';
const solc = require('../node_modules/solc');

const args = process.argv.slice(2);
if (args.includes('--version')) {
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else if (args.includes('--standard-json')) {
  const chunks = [];
  process.stdin.on('data', (chunk) => chunks.push(chunk));
  process.stdin.on('end', () => {
    const output = solc.compile(Buffer.concat(chunks).toString('utf8'));
    // exit only by running out of work: the output is larger than a pipe's buffer
    process.stdout.write(output + '\n');
  });
} else {
  process.stderr.write('solc.js: expected --version or --standard-json\n');
  process.exitCode = 1;
}
