// Follows "Rules on jobs", "Rules on shares", the last paragraph of "Root and count" and "What no
// lease can be" of docs/evidence.md.

import { scrypt } from '@noble/hashes/scrypt';
import { keccak_256 } from '@noble/hashes/sha3';
import { sha256 } from '@noble/hashes/sha2';
import { bytesToHex, concatBytes } from '@noble/hashes/utils';
import { dagOf, hashimoto, makeCache } from './ethash.mjs';
import { isEthash, readEvidence } from './reader.mjs';
import { bigFromBytes, isSignedBy, jobDigest } from './signature.mjs';
import { commonBits, CountingTrie } from './trie.mjs';

const WINDOW_SECONDS = 600n;
const WINDOW_LIMIT = 2n ** 40n;
const COINBASE_LIMIT = 4096;
const INNER_NODE_LENGTH = 64;
const SHORTEST_TAIL = 2;
const LONGEST_TAIL = 32;
const BRANCH_LIMIT = 16;
const FIXED_VERSION_BITS = ~0x1fffffe0;
const NONCE_PREFIX_LIMIT = 6;
const LAST_DAG = 2047n;
const DAGS_PER_FILE = 4;
const COLLISION_BITS = 64;

// --- Terms ---

const floorLog2 = (value) => value.toString(2).length - 1;

/** Whether any lease can have these terms. */
function possibleTerms({ terms, epoch }) {
  const { rate, start, end, duration, epochLength } = terms;
  if (epochLength === 0n || duration % epochLength !== 0n) return false;
  if (end < start || end > start + duration) return false;
  if (BigInt(epoch) >= duration / epochLength) return false;
  if (rate * duration >= 2n ** 96n) return false;

  const byEpoch = rate * epochLength / 1000n;
  const byLease = rate * duration / 20_000n;
  const most = byEpoch < byLease ? byEpoch : byLease;
  return most > 0n && terms.weightLog2 === floorLog2(most);
}

/** The epoch that contains a time from the lease's start on; null if the epochs have no length. */
const epochOf = (terms, time) => terms.epochLength === 0n ? null : (time - terms.start) / terms.epochLength;

// --- Jobs ---

/** A map from sequence to `{ job, reason, dag, epoch }`; `reason` is the broken rule, or null. */
function checkJobs({ terms, jobs }) {
  const judged = new Map();
  const dags = new Set();
  for (const job of jobs) {
    const entry = { job, reason: jobReason(terms, job), dag: null, epoch: null };
    if (entry.reason === null && isEthash(terms.algorithm)) {
      entry.dag = sharedDag(dagOf(terms.algorithm, job.block));
      entry.epoch = epochOf(terms, job.notBefore);
      if (dags.size === DAGS_PER_FILE && !dags.has(entry.dag)) entry.reason = 'job-dag';
      else dags.add(entry.dag);
    }
    judged.set(job.sequence, entry);
  }
  return judged;
}

function jobReason(terms, job) {
  if (job.notBefore > job.notAfter || job.notAfter - job.notBefore > WINDOW_SECONDS || job.notAfter >= WINDOW_LIMIT) return 'job-window';
  if (job.notBefore < terms.start || job.notAfter >= terms.start + terms.duration) return 'job-outside-lease';
  const reason = isEthash(terms.algorithm) ? ethashJobReason(terms, job) : headerJobReason(job);
  if (reason !== null) return reason;
  if (job.signature.every((byte) => byte === 0)) return 'job-unsigned';
  if (!isSignedBy(job.signature, jobDigest(terms, job), terms.jobSigner)) return 'job-signature';
  return null;
}

function headerJobReason(job) {
  const coinbaseLength = job.prefix.length + job.tailLength + job.suffix.length;
  if (coinbaseLength > COINBASE_LIMIT || coinbaseLength === INNER_NODE_LENGTH) return 'job-coinbase';
  if (job.tailLength < SHORTEST_TAIL || job.tailLength > LONGEST_TAIL) return 'job-tail';
  if (job.branch.length > BRANCH_LIMIT) return 'job-branch';
  if ((job.versionMask & FIXED_VERSION_BITS) !== 0) return 'job-version-mask';
  return null;
}

function ethashJobReason(terms, job) {
  if (job.noncePrefix.length === 0 || job.noncePrefix.length > NONCE_PREFIX_LIMIT) return 'job-nonce-prefix';
  if (dagOf(terms.algorithm, job.block).number > LAST_DAG) return 'job-block';
  const epoch = epochOf(terms, job.notBefore);
  if (epoch === null || epoch !== epochOf(terms, job.notAfter)) return 'job-outside-epoch';
  return null;
}

// One object per DAG, so that DAGs compare with === and all files of a run share a cache. An
// Etchash DAG before ECIP-1099 and one after it can have the same number; their seeds differ.
const knownDags = new Map();
function sharedDag(dag) {
  const id = `${dag.number}/${dag.seedRounds}`;
  if (!knownDags.has(id)) knownDags.set(id, { ...dag, cache: null });
  return knownDags.get(id);
}

// --- Shares ---

/**
 * Returns `{ key, reason }`. The key is null if a rule is broken that needs none.
 * `lastKey` is the key of the last share that counted.
 */
function checkShare(evidence, judgedJobs, share, lastKey) {
  const { terms } = evidence;
  const refused = (reason) => ({ key: null, reason });

  const entry = judgedJobs.get(share.sequence);
  if (!entry) return refused('unknown-job');
  if (entry.reason !== null) return refused(entry.reason);

  const work = isEthash(terms.algorithm) ? ethashWork(terms, entry, share) : headerWork(terms, entry.job, share);
  if (work.reason) return refused(work.reason);

  const { key } = work;
  if (work.epoch !== BigInt(evidence.epoch)) return { key, reason: 'other-epoch' };
  if (work.hash() >> BigInt(256 - terms.weightLog2) !== 0n) return { key, reason: 'above-target' };
  return { key, reason: lastKey && orderReason(lastKey, key) };
}

function headerWork(terms, job, share) {
  if (share.tail.length !== job.tailLength) return { reason: 'extranonce-length' };
  if (((share.version ^ job.version) & ~job.versionMask) !== 0) return { reason: 'version-outside-mask' };
  const time = BigInt(share.ntime);
  if (time < job.notBefore) return { reason: 'ntime-too-early' };
  if (time > job.notAfter) return { reason: 'ntime-too-late' };
  const epoch = epochOf(terms, time);
  if (epoch === null || time >= terms.end) return { reason: 'outside-epoch' };

  const header = blockHeader(job, share);
  const key = sha256d(header);
  const hash = () => {
    const bytes = terms.algorithm === 'scrypt' ? scrypt(header, header, { N: 1024, r: 1, p: 1, dkLen: 32 }) : key;
    return bigFromBytes(bytes.slice().reverse());
  };
  return { key, epoch, hash };
}

const sha256d = (bytes) => sha256(sha256(bytes));

function blockHeader(job, share) {
  let root = sha256d(concatBytes(job.prefix, share.tail, job.suffix));
  for (const sibling of job.branch) root = sha256d(concatBytes(root, sibling));

  const header = new Uint8Array(80);
  const view = new DataView(header.buffer);
  view.setUint32(0, share.version, true);
  header.set(job.previousHash, 4);
  header.set(root, 36);
  view.setUint32(68, share.ntime, true);
  view.setUint32(72, job.bits, true);
  view.setUint32(76, share.nonce, true);
  return header;
}

function ethashWork(terms, { job, dag, epoch }, share) {
  const nonce = new Uint8Array(8);
  new DataView(nonce.buffer).setBigUint64(0, share.nonce, false);
  const prefix = job.noncePrefix;
  if (prefix.some((byte, i) => byte !== nonce[i])) return { reason: 'nonce-outside-prefix' };
  if (BigInt(nonce[prefix.length]) !== epoch % 256n) return { reason: 'nonce-of-other-epoch' };
  if (job.notAfter >= terms.end) return { reason: 'outside-epoch' };

  const key = keccak_256(concatBytes(job.sealHash, nonce));
  const hash = () => {
    dag.cache ??= makeCache(dag);
    return bigFromBytes(hashimoto(dag.cache, dag, job.sealHash, nonce));
  };
  return { key, epoch, hash };
}

function orderReason(lastKey, key) {
  const shared = commonBits(lastKey, key);
  if (shared === 256) return 'duplicate';
  if (shared >= COLLISION_BITS) return 'key-collides';
  return bigFromBytes(key) < bigFromBytes(lastKey) ? 'out-of-order' : null;
}

// --- The whole file ---

// JSON's numbers are exact up to 2^53; larger ones are written as strings of digits.
const plain = (value) => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString());
const hex = (bytes) => `0x${bytesToHex(bytes)}`;

/**
 * The verdict on a file, in the form of an entry of verdicts.json, with fields in alphabetical
 * order. Throws EvidenceError.
 */
export function judge(source, trace = null) {
  const evidence = readEvidence(source, trace);
  const judgedJobs = checkJobs(evidence);
  const refusedJobs = [...judgedJobs.values()].filter(({ reason }) => reason).map(({ job, reason }) => [plain(job.sequence), reason]);

  const refusedShares = [];
  const trie = new CountingTrie();
  let lastKey = null;
  let index = 0;
  for (const share of evidence.shares()) {
    const { key, reason } = checkShare(evidence, judgedJobs, share, lastKey);
    if (reason) {
      refusedShares.push([index, key && hex(key), reason]);
    } else {
      trie.add(key);
      lastKey = key;
    }
    index++;
  }

  const counted = trie.finish();
  const claimIsRight = hex(counted.hash) === hex(evidence.root) && counted.count === evidence.count;
  return {
    count: plain(counted.count),
    file: source.name,
    holds: possibleTerms(evidence) && claimIsRight && refusedJobs.length === 0 && refusedShares.length === 0,
    jobs: evidence.jobs.length,
    refusedJobs,
    refusedShares,
    root: hex(counted.hash),
    shares: index,
    work: workOf(evidence.terms, counted.count).toString(),
  };
}

function workOf({ weightLog2, rate, epochLength }, count) {
  const work = count << BigInt(weightLog2);
  const most = 5n * rate * epochLength / 4n;
  return work < most ? work : most;
}
