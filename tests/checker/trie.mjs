// Follows "Root and count" of docs/evidence.md. Keys arrive in ascending order, and no two are
// equal in their first 64 bits.

import { keccak_256 } from '@noble/hashes/sha3';
import { concatBytes } from '@noble/hashes/utils';
import { word } from './signature.mjs';

const EMPTY = { hash: new Uint8Array(32), count: 0n };

const bit = (key, index) => key[index >> 3] >> (7 - (index & 7)) & 1;

export function commonBits(a, b) {
  let index = 0;
  while (index < 256 && bit(a, index) === bit(b, index)) index++;
  return index;
}

function join(left, right) {
  return {
    hash: keccak_256(concatBytes(left.hash, word(left.count), right.hash, word(right.count))),
    count: left.count + right.count,
  };
}

/** Since the keys ascend, only the left siblings along the way to the last key need to be kept. */
export class CountingTrie {
  constructor() {
    this.last = null;
    // bits shared by the last key and the one before it; -1 if there is none
    this.sharedWithBefore = -1;
    this.leftAtDepth = []; // finished left siblings on the way to the last key, by depth
  }

  add(key) {
    if (this.last) {
      const shared = commonBits(this.last, key);
      // The keys differ in bit `shared`: everything below it on the last key's side is finished,
      // and is a left child.
      this.leftAtDepth[shared + 1] = this.#climb(shared + 1, shared);
      this.sharedWithBefore = shared;
    }
    this.last = key;
  }

  finish() {
    return this.last ? this.#climb(0, -1) : EMPTY;
  }

  // The node at `top` on the way to the last key, with all keys until now. `sharedWithNext` counts
  // the bits shared by the last key and the next one; -1 if there is no next one.
  #climb(top, sharedWithNext) {
    const leafDepth = Math.max(this.sharedWithBefore, sharedWithNext) + 1;
    let node = { hash: keccak_256(this.last), count: 1n };
    for (let depth = leafDepth; depth > top; depth--) {
      if (bit(this.last, depth - 1) === 0) {
        node = join(node, EMPTY);
      } else {
        node = join(this.leftAtDepth[depth] ?? EMPTY, node);
        this.leftAtDepth[depth] = undefined;
      }
    }
    return node;
  }
}
