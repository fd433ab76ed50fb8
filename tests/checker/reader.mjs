// Follows the section "Bytes" of docs/evidence.md: the place of each field, not its meaning.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { sha256 } from '@noble/hashes/sha2';
import { bytesToHex } from '@noble/hashes/utils';

export const ALGORITHMS = { 1: 'sha256d', 2: 'scrypt', 3: 'ethash', 4: 'etchash' };

const MAGIC = 'HLEVIDNC';
const FORMAT_VERSION = 1;
const WEIGHT_LOG2_LIMIT = 96;
const RATE_LIMIT = 2n ** 96n;
const BYTES_BEFORE_LAST_JOB = 64 * 1024 * 1024;
const JOBS_LIMIT = 32_768;
const TAIL_LIMIT = 32;
const CHECKSUM_LENGTH = 32;
const CHUNK = 64 * 1024;

/** The file can't be judged. Names the place, so that the file's author finds it. */
export class EvidenceError extends Error {
  constructor(offset, field, problem) {
    super(`byte ${offset}, ${field}: ${problem}`);
    this.offset = offset;
    this.field = field;
  }
}

/** A source is `{ name, size, read(offset, length), close() }`; no large file is read whole. */
export function fileSource(path) {
  const handle = openSync(path, 'r');
  return {
    name: basename(path),
    size: fstatSync(handle).size,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const got = readSync(handle, bytes, done, length - done, offset + done);
        if (got === 0) throw new EvidenceError(offset + done, 'file', 'became shorter while it was read');
        done += got;
      }
      return bytes;
    },
    close() { closeSync(handle); },
  };
}

export function bytesSource(name, bytes) {
  return {
    name,
    size: bytes.length,
    read(offset, length) { return bytes.slice(offset, offset + length); },
    close() {},
  };
}

class Cursor {
  constructor(source, offset, { hash = null, trace = null } = {}) {
    this.source = source;
    this.offset = offset;
    this.hash = hash;
    this.trace = trace;
    this.chunk = new Uint8Array(0);
    this.chunkOffset = offset;
  }

  bytes(length, field) {
    const { source, offset } = this;
    const end = offset + length;
    if (end > source.size) throw new EvidenceError(offset, field, `the file ends at byte ${source.size}, ${end - source.size} bytes too early`);
    if (end > this.chunkOffset + this.chunk.length) {
      this.chunk = source.read(offset, Math.min(source.size - offset, Math.max(length, CHUNK)));
      this.chunkOffset = offset;
    }
    const from = offset - this.chunkOffset;
    const bytes = this.chunk.slice(from, from + length);
    this.hash?.update(bytes);
    this.trace?.(offset, length, field);
    this.offset = end;
    return bytes;
  }

  big(length, field) {
    let value = 0n;
    for (const byte of this.bytes(length, field).reverse()) value = value << 8n | BigInt(byte);
    return value;
  }

  // Up to 32 bits; wider integers stay BigInt, so that none loses precision.
  number(length, field) { return Number(this.big(length, field)); }

  // A field preceded by its own length.
  counted(lengthBytes, field) { return this.bytes(this.number(lengthBytes, `${field} length`), field); }
}

export const isEthash = (algorithm) => algorithm === 'ethash' || algorithm === 'etchash';

/**
 * Reads the whole file once, and checks only its form and its checksum.
 * Returns `{ terms, epoch, root, count, jobs, shareCount, shares() }`; `shares()` rereads them.
 * Calls `trace(offset, length, field)` for each field.
 */
export function readEvidence(source, trace = null) {
  const hash = sha256.create();
  const cursor = new Cursor(source, 0, { hash, trace });

  readMagic(cursor);
  const terms = readTerms(cursor);
  const epoch = cursor.number(4, 'epoch');
  const root = cursor.bytes(32, 'root');
  const count = cursor.big(8, 'count');

  const jobs = readJobs(cursor, terms.algorithm);

  const shareCount = cursor.big(8, 'number of shares');
  const sharesOffset = cursor.offset;
  for (let i = 0n; i < shareCount; i++) readShare(cursor, terms.algorithm, `share ${i}`);

  const expected = hash.digest();
  cursor.hash = null;
  const checksumOffset = cursor.offset;
  const checksum = cursor.bytes(CHECKSUM_LENGTH, 'checksum');
  if (cursor.offset !== source.size) throw new EvidenceError(cursor.offset, 'end of file', `${source.size - cursor.offset} bytes after the checksum`);
  if (bytesToHex(checksum) !== bytesToHex(expected)) throw new EvidenceError(checksumOffset, 'checksum', 'is not the SHA-256 of everything before');

  function* shares() {
    const again = new Cursor(source, sharesOffset);
    for (let i = 0n; i < shareCount; i++) yield readShare(again, terms.algorithm, `share ${i}`);
  }
  return { terms, epoch, root, count, jobs, shareCount, shares };
}

function readMagic(cursor) {
  const magic = cursor.bytes(8, 'magic');
  if (String.fromCharCode(...magic) !== MAGIC) throw new EvidenceError(0, 'magic', `is not "${MAGIC}"`);
  const version = cursor.number(2, 'version');
  if (version !== FORMAT_VERSION) throw new EvidenceError(8, 'version', `${version} is unknown`);
}

function readTerms(cursor) {
  const terms = {};
  const termOffsets = {};
  const read = (name, kind, length) => {
    termOffsets[name] = cursor.offset;
    terms[name] = cursor[kind](length, name);
  };
  read('lease', 'big', 8);
  read('chainId', 'big', 8);
  read('escrow', 'bytes', 20);
  read('oracle', 'bytes', 20);
  read('provider', 'bytes', 20);
  read('jobSigner', 'bytes', 20);
  read('algorithm', 'number', 1);
  const algorithm = ALGORITHMS[terms.algorithm];
  if (!algorithm) throw new EvidenceError(termOffsets.algorithm, 'algorithm', `${terms.algorithm} is unknown`);
  terms.algorithm = algorithm;
  read('weightLog2', 'number', 1);
  if (terms.weightLog2 >= WEIGHT_LOG2_LIMIT) throw new EvidenceError(termOffsets.weightLog2, 'weightLog2', `${terms.weightLog2} is not below ${WEIGHT_LOG2_LIMIT}`);
  read('rate', 'big', 16);
  if (terms.rate >= RATE_LIMIT) throw new EvidenceError(termOffsets.rate, 'rate', 'is not below 2^96');
  read('start', 'big', 8);
  read('end', 'big', 8);
  read('duration', 'big', 4);
  read('epochLength', 'big', 4);
  return terms;
}

function readJobs(cursor, algorithm) {
  const readJob = isEthash(algorithm) ? readEthashJob : readHeaderJob;
  const offsetOfNumber = cursor.offset;
  const number = cursor.number(4, 'number of jobs');
  if (number > JOBS_LIMIT) throw new EvidenceError(offsetOfNumber, 'number of jobs', `${number} is above ${JOBS_LIMIT}`);
  const jobs = [];
  for (let i = 0; i < number; i++) {
    const offset = cursor.offset;
    // The last job starts furthest in the file, so it is enough to test the start of each job.
    if (offset > BYTES_BEFORE_LAST_JOB) throw new EvidenceError(offset, `job ${i}`, 'more than 64 MiB stand before it');
    const job = readJob(cursor, `job ${i}`);
    if (i > 0 && job.sequence <= jobs[i - 1].sequence) {
      throw new EvidenceError(offset, `job ${i} sequence`, `${job.sequence} is not above ${jobs[i - 1].sequence}, the one before`);
    }
    jobs.push(job);
  }
  return jobs;
}

function readHeaderJob(cursor, at) {
  const job = {};
  job.sequence = cursor.big(8, `${at} sequence`);
  job.previousHash = cursor.bytes(32, `${at} previous hash`);
  job.bits = cursor.number(4, `${at} nBits`);
  job.version = cursor.number(4, `${at} version`);
  job.versionMask = cursor.number(4, `${at} version mask`);
  job.notBefore = cursor.big(8, `${at} not before`);
  job.notAfter = cursor.big(8, `${at} not after`);
  job.prefix = cursor.counted(2, `${at} coinbase prefix`);
  job.tailLength = cursor.number(1, `${at} tail length`);
  job.suffix = cursor.counted(2, `${at} coinbase suffix`);
  const branchLength = cursor.number(1, `${at} branch length`);
  job.branch = [];
  for (let i = 0; i < branchLength; i++) job.branch.push(cursor.bytes(32, `${at} branch`));
  job.signature = cursor.bytes(65, `${at} signature`);
  return job;
}

function readEthashJob(cursor, at) {
  const job = {};
  job.sequence = cursor.big(8, `${at} sequence`);
  job.sealHash = cursor.bytes(32, `${at} seal hash`);
  job.block = cursor.big(8, `${at} block number`);
  job.noncePrefix = cursor.counted(1, `${at} nonce prefix`);
  job.notBefore = cursor.big(8, `${at} not before`);
  job.notAfter = cursor.big(8, `${at} not after`);
  job.signature = cursor.bytes(65, `${at} signature`);
  return job;
}

function readShare(cursor, algorithm, at) {
  const share = {};
  share.sequence = cursor.big(8, `${at} sequence`);
  if (isEthash(algorithm)) {
    share.nonce = cursor.big(8, `${at} nonce`);
    return share;
  }
  const tailOffset = cursor.offset;
  const tailLength = cursor.number(1, `${at} tail length`);
  if (tailLength > TAIL_LIMIT) throw new EvidenceError(tailOffset, `${at} tail length`, `${tailLength} is more than ${TAIL_LIMIT}`);
  share.tail = cursor.bytes(tailLength, `${at} tail`);
  share.ntime = cursor.number(4, `${at} ntime`);
  share.nonce = cursor.number(4, `${at} nonce`);
  share.version = cursor.number(4, `${at} version`);
  return share;
}
