#!/usr/bin/env node
// Tests the checker itself on good files: does it notice every change? Follows no section of
// docs/evidence.md.
//
//   node flip.mjs [--every N] FILE…
//
// Changes every byte, or every N-th one, by each of MASKS. The changed file must be an error. With
// a corrected checksum it must be an error or not hold; where it still holds, the output lists the
// field, and a person decides whether that is legitimate. Cut files, with and without a correct
// checksum, and files with one more byte must be errors.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { sha256 } from '@noble/hashes/sha2';
import { bytesSource, EvidenceError } from './reader.mjs';
import { judge } from './rules.mjs';

const MASKS = [0x01, 0x10, 0x80];
const CHECKSUM_LENGTH = 32;

function outcome(bytes) {
  try {
    return judge(bytesSource('changed', bytes)).holds ? 'holds' : 'does not hold';
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return 'error';
  }
}

function withChecksum(body) {
  const bytes = new Uint8Array(body.length + CHECKSUM_LENGTH);
  bytes.set(body);
  bytes.set(sha256(body), body.length);
  return bytes;
}

function flipAll(path, step) {
  const good = new Uint8Array(readFileSync(path));
  const fieldAt = [];
  const verdict = judge(bytesSource('good', good), (offset, length, field) => {
    for (let i = 0; i < length; i++) fieldAt[offset + i] = field;
  });
  if (!verdict.holds) throw new Error(`${path} doesn't hold as it is`);

  const unnoticed = [];
  const tally = { error: 0, 'does not hold': 0, holds: 0 };
  // field, without the number of its job or share → changes after which the file holds
  const holding = new Map();
  const body = good.length - CHECKSUM_LENGTH;
  for (let at = 0; at < good.length; at += step) {
    for (const mask of MASKS) {
      const changed = good.slice();
      changed[at] ^= mask;
      if (outcome(changed) !== 'error') unnoticed.push(`byte ${at} changed, checksum not`);
      if (at >= body) continue;
      const result = outcome(withChecksum(changed.subarray(0, body)));
      tally[result]++;
      if (result === 'holds') {
        const field = fieldAt[at].replace(/ \d+/, '');
        holding.set(field, (holding.get(field) ?? 0) + 1);
      }
    }
  }
  for (let length = 0; length < good.length; length += step) {
    if (outcome(good.slice(0, length)) !== 'error') unnoticed.push(`cut to ${length} bytes`);
    if (length < body && outcome(withChecksum(good.subarray(0, length))) !== 'error') unnoticed.push(`cut to ${length} bytes, checksum made right`);
  }
  if (outcome(Uint8Array.of(...good, 0)) !== 'error') unnoticed.push('a byte more');
  if (outcome(withChecksum(Uint8Array.of(...good.subarray(0, body), 0))) !== 'error') unnoticed.push('a byte more, checksum made right');

  console.log(`${basename(path)}, every ${step}: ${unnoticed.length} unnoticed; checksum made right: ${JSON.stringify(tally)}`);
  for (const line of unnoticed) console.log(`  UNNOTICED ${line}`);
  for (const [field, number] of holding) console.log(`  holds although changed: ${field} (${number} changes)`);
  return unnoticed.length;
}

const args = process.argv.slice(2);
const step = args[0] === '--every' ? Number(args.splice(0, 2)[1]) : 1;
if (args.length === 0 || !Number.isInteger(step) || step < 1) {
  console.error('usage: node flip.mjs [--every N] FILE…');
  process.exit(2);
}
let unnoticed = 0;
for (const path of args) unnoticed += flipAll(path, step);
process.exitCode = unnoticed === 0 ? 0 : 1;
