#!/usr/bin/env node
// The command line of a checker for evidence files; rules.mjs has the checks. Not part of
// docs/evidence.md, but the output has the form of the entries of verdicts.json.
//
//   node check.mjs FILE…
//     one JSON line per file; exit 0, or 2 if a file can't be read
//   node check.mjs --against verdicts.json DIR
//     compares; exit 0 if all agree, 1 if any differs

import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { EvidenceError, fileSource } from './reader.mjs';
import { judge } from './rules.mjs';

// A file that the system can't open (such an error has a code) is reported like a malformed one;
// any other exception is a bug.
function verdictOf(path) {
  let source;
  try {
    source = fileSource(path);
    return judge(source);
  } catch (error) {
    if (!(error instanceof EvidenceError) && !error.code) throw error;
    return { file: basename(path), error: error.message };
  } finally {
    source?.close();
  }
}

function printVerdicts(paths) {
  let status = 0;
  for (const path of paths) {
    const verdict = verdictOf(path);
    console.log(JSON.stringify(verdict));
    if ('error' in verdict) status = 2;
  }
  return status;
}

function compare(verdictsPath, folder) {
  const wanted = new Map(JSON.parse(readFileSync(verdictsPath, 'utf8')).map((entry) => [entry.file, entry]));
  const present = readdirSync(folder).filter((name) => name.endsWith('.hlev'));
  const names = [...new Set([...wanted.keys(), ...present])].sort();

  let differing = 0;
  for (const name of names) {
    const started = performance.now();
    const lines = !wanted.has(name) ? ['  no verdict on this file']
      : !present.includes(name) ? ['  no such file']
      : differences(wanted.get(name), verdictOf(join(folder, name)));
    if (lines.length > 0) differing++;
    console.log(`${lines.length === 0 ? 'agrees ' : 'DIFFERS'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    for (const line of lines) console.log(line);
  }
  console.log(`${names.length - differing} of ${names.length} files agree`);
  return differing === 0 && names.length > 0 ? 0 : 1;
}

function differences(wanted, got) {
  const lines = [];
  for (const field of new Set([...Object.keys(wanted), ...Object.keys(got)])) {
    if (Array.isArray(wanted[field]) && Array.isArray(got[field])) {
      lines.push(...listDifferences(field, wanted[field], got[field]));
    } else if (JSON.stringify(wanted[field]) !== JSON.stringify(got[field])) {
      lines.push(`  ${field}: wanted ${JSON.stringify(wanted[field])}, got ${JSON.stringify(got[field])}`);
    }
  }
  return lines;
}

function listDifferences(field, wanted, got) {
  const lines = [];
  for (let i = 0; i < Math.max(wanted.length, got.length); i++) {
    const [a, b] = [JSON.stringify(wanted[i]), JSON.stringify(got[i])];
    if (a !== b) lines.push(`  ${field}[${i}]: wanted ${a ?? 'nothing'}, got ${b ?? 'nothing'}`);
  }
  return lines;
}

const args = process.argv.slice(2);
if (args[0] === '--against' && args.length === 3) {
  process.exitCode = compare(args[1], args[2]);
} else if (args.length > 0 && !args[0].startsWith('--')) {
  process.exitCode = printVerdicts(args);
} else {
  console.error('usage: node check.mjs FILE…\n       node check.mjs --against verdicts.json DIR');
  process.exitCode = 2;
}
