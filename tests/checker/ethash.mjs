// Follows "Ethash and Etchash" under "Rules on shares" of docs/evidence.md, and Ethash's public
// specification for light verification.

import { keccak_256, keccak_512, keccakP } from '@noble/hashes/sha3';
import { concatBytes } from '@noble/hashes/utils';

const BLOCKS_PER_EPOCH = 30_000n;
const ETCHASH_FIRST_BLOCK = 11_700_000n;
const ETCHASH_BLOCKS_PER_EPOCH = 60_000n;

const WORDS_PER_ITEM = 16; // 64 bytes
const CACHE_ROUNDS = 3;
const PARENTS = 256;
const ACCESSES = 64;
const WORDS_PER_MIX = 32; // 128 bytes
const KECCAK_512_RATE_WORDS = 18;

const fnv = (a, b) => Math.imul(a, 0x01000193) ^ b;

/** `{ number, seedRounds }` of a block's DAG. */
export function dagOf(algorithm, block) {
  const long = algorithm === 'etchash' && block >= ETCHASH_FIRST_BLOCK;
  const length = long ? ETCHASH_BLOCKS_PER_EPOCH : BLOCKS_PER_EPOCH;
  const number = block / length;
  return { number, seedRounds: number * length / BLOCKS_PER_EPOCH };
}

function isPrime(value) {
  if (value % 2 === 0) return value === 2;
  for (let divisor = 3; divisor * divisor <= value; divisor += 2) if (value % divisor === 0) return false;
  return value > 1;
}

// Both sizes grow with the epoch: each is the largest below a limit for which the number of rows is
// prime.
function size(start, growth, row, dagNumber) {
  let bytes = start + growth * dagNumber - row;
  while (!isPrime(bytes / row)) bytes -= 2 * row;
  return bytes;
}
export const cacheSize = (dagNumber) => size(2 ** 24, 2 ** 17, 64, dagNumber);
export const datasetSize = (dagNumber) => size(2 ** 30, 2 ** 23, 128, dagNumber);

export function seedOf(rounds) {
  let seed = new Uint8Array(32);
  for (let i = 0n; i < rounds; i++) seed = keccak_256(seed);
  return seed;
}

// Keccak-512 of 16 words in place. It calls the permutation directly, since the cache needs a
// million hashes and noble's `keccak_512` spends most of its time on objects. 64 bytes are less
// than one block of 72.
const state = new Uint32Array(50);
function keccak512Words(words) {
  state.fill(0);
  state.set(words);
  state[WORDS_PER_ITEM] = 0x01;
  state[KECCAK_512_RATE_WORDS - 1] ^= 0x80000000;
  keccakP(state);
  for (let i = 0; i < WORDS_PER_ITEM; i++) words[i] = state[i];
}

export function makeCache(dag) {
  const items = cacheSize(Number(dag.number)) / 64;
  const cache = new Uint32Array(items * WORDS_PER_ITEM);
  const item = (index) => cache.subarray(index * WORDS_PER_ITEM, (index + 1) * WORDS_PER_ITEM);

  const words = wordsOf(keccak_512(seedOf(dag.seedRounds)));
  item(0).set(words);
  for (let i = 1; i < items; i++) {
    keccak512Words(words);
    item(i).set(words);
  }
  for (let round = 0; round < CACHE_ROUNDS; round++) {
    for (let i = 0; i < items; i++) {
      const a = (i === 0 ? items - 1 : i - 1) * WORDS_PER_ITEM;
      const b = cache[i * WORDS_PER_ITEM] % items * WORDS_PER_ITEM;
      for (let w = 0; w < WORDS_PER_ITEM; w++) words[w] = cache[a + w] ^ cache[b + w];
      keccak512Words(words);
      item(i).set(words);
    }
  }
  return cache;
}

function datasetItem(cache, index) {
  const items = cache.length / WORDS_PER_ITEM;
  const start = index % items * WORDS_PER_ITEM;
  const mix = cache.slice(start, start + WORDS_PER_ITEM);
  mix[0] ^= index;
  keccak512Words(mix);
  for (let j = 0; j < PARENTS; j++) {
    const parent = (fnv(index ^ j, mix[j % WORDS_PER_ITEM]) >>> 0) % items * WORDS_PER_ITEM;
    for (let w = 0; w < WORDS_PER_ITEM; w++) mix[w] = fnv(mix[w], cache[parent + w]);
  }
  keccak512Words(mix);
  return mix;
}

/** The result of hashimoto; `nonce` has 8 bytes, the most significant first. */
export function hashimoto(cache, dag, sealHash, nonce) {
  const rows = datasetSize(Number(dag.number)) / 128;
  const seed = keccak_512(concatBytes(sealHash, nonce.slice().reverse()));
  const seedWords = wordsOf(seed);
  const mix = new Uint32Array(WORDS_PER_MIX);
  mix.set(seedWords);
  mix.set(seedWords, WORDS_PER_ITEM);

  for (let i = 0; i < ACCESSES; i++) {
    const row = (fnv(i ^ seedWords[0], mix[i % WORDS_PER_MIX]) >>> 0) % rows;
    for (let half = 0; half < 2; half++) {
      const data = datasetItem(cache, 2 * row + half);
      for (let w = 0; w < WORDS_PER_ITEM; w++) {
        const at = half * WORDS_PER_ITEM + w;
        mix[at] = fnv(mix[at], data[w]);
      }
    }
  }

  const compressed = new Uint32Array(WORDS_PER_MIX / 4);
  for (let i = 0; i < compressed.length; i++) {
    compressed[i] = fnv(fnv(fnv(mix[4 * i], mix[4 * i + 1]), mix[4 * i + 2]), mix[4 * i + 3]);
  }
  return keccak_256(concatBytes(seed, bytesOf(compressed)));
}

// Ethash's words are little-endian on every machine.
function wordsOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Uint32Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}

function bytesOf(words) {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  words.forEach((value, i) => view.setUint32(4 * i, value, true));
  return new Uint8Array(view.buffer);
}
