// Follows "Rules on jobs" of docs/evidence.md: the EIP-712 digest of a job, and its signer.

import { secp256k1 } from '@noble/curves/secp256k1';
import { keccak_256 } from '@noble/hashes/sha3';
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils';

const DOMAIN_TYPE = 'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)';
const JOB_TYPE = 'Job(uint256 lease,uint64 sequence,bytes32 prevHash,uint32 nBits,uint32 version,uint32 versionMask,uint40 notBefore,uint40 notAfter,bytes coinbasePrefix,uint8 tailLength,bytes coinbaseSuffix,bytes32[] branch)';
const ETHASH_JOB_TYPE = 'EthashJob(uint256 lease,uint64 sequence,bytes32 sealHash,uint64 blockNumber,bytes noncePrefix,uint40 notBefore,uint40 notAfter)';
const HALF_ORDER = secp256k1.CURVE.n >> 1n;

const hashOfText = (text) => keccak_256(utf8ToBytes(text));

export function bigFromBytes(bytes) {
  return BigInt(`0x${bytesToHex(bytes)}`);
}

/** 32 bytes, big-endian: a uint in EIP-712, and a count in the trie. */
export function word(value) {
  const bytes = new Uint8Array(32);
  let rest = BigInt(value);
  for (let i = 31; rest > 0n; i--) {
    bytes[i] = Number(rest & 255n);
    rest >>= 8n;
  }
  return bytes;
}

export function jobDigest(terms, job) {
  const domain = keccak_256(concatBytes(
    hashOfText(DOMAIN_TYPE), hashOfText('Hashlease'), hashOfText('1'), word(terms.chainId), word(bigFromBytes(terms.escrow)),
  ));
  const struct = 'sealHash' in job ? ethashJobHash(terms, job) : headerJobHash(terms, job);
  return keccak_256(concatBytes(Uint8Array.of(0x19, 0x01), domain, struct));
}

function headerJobHash(terms, job) {
  return keccak_256(concatBytes(
    hashOfText(JOB_TYPE),
    word(terms.lease), word(job.sequence), job.previousHash, word(job.bits), word(job.version), word(job.versionMask),
    word(job.notBefore), word(job.notAfter),
    keccak_256(job.prefix), word(job.tailLength), keccak_256(job.suffix), keccak_256(concatBytes(...job.branch)),
  ));
}

function ethashJobHash(terms, job) {
  return keccak_256(concatBytes(
    hashOfText(ETHASH_JOB_TYPE),
    word(terms.lease), word(job.sequence), job.sealHash, word(job.block), keccak_256(job.noncePrefix),
    word(job.notBefore), word(job.notAfter),
  ));
}

export function isSignedBy(signature, digest, address) {
  const v = signature[64];
  if (v !== 27 && v !== 28) return false;
  if (bigFromBytes(signature.subarray(32, 64)) > HALF_ORDER) return false;
  const signer = recoverAddress(signature.subarray(0, 64), v - 27, digest);
  return signer !== null && bytesToHex(signer) === bytesToHex(address);
}

// null if no key can have made this r and s.
function recoverAddress(compact, recovery, digest) {
  let key;
  try {
    key = secp256k1.Signature.fromCompact(compact).addRecoveryBit(recovery).recoverPublicKey(digest);
  } catch {
    return null;
  }
  const withoutFormat = key.toRawBytes(false).subarray(1);
  return keccak_256(withoutFormat).subarray(12);
}
