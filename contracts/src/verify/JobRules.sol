// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {
    ALGORITHM_ETCHASH,
    ALGORITHM_ETHASH,
    ALGORITHM_SCRYPT,
    ALGORITHM_SHA256D
} from "contracts/src/interfaces/LeaseTypes.sol";
import {EthashJob, Job, JobLib} from "contracts/src/verify/JobLib.sol";

/// @notice The facts of a lease by which jobs and shares are judged.
/// @param domain Separator of the escrow's EIP-712 domain, in which jobs are signed.
/// @param duration Seconds as rented. Jobs are judged by it.
/// @param end First second after the lease, which a cancellation brings closer. Shares are judged
/// by it.
struct LeaseTerms {
    uint256 id;
    bytes32 domain;
    address jobSigner;
    uint8 algorithm;
    uint8 weightLog2;
    uint256 start;
    uint256 duration;
    uint256 end;
    uint256 epochLength;
}

/// @title The rules that make a job one of a lease
/// @notice Pure functions of the job and of the lease as rented: a shortened end makes no job bad,
/// it cuts the job's shares. Each error is a rule; its name in words with hyphens is the code that
/// nodes, gateways and members give (`crates/share/src/reason.rs`, `docs/evidence.md`). The first
/// rule that is broken is told.
library JobRules {
    /// @dev Seconds from the first to the last header time.
    uint256 internal constant MAX_WINDOW = 600;
    /// @dev Bytes of a coinbase without its witness.
    uint256 internal constant MAX_COINBASE = 4096;
    /// @dev Bytes of an inner node of a Merkle tree.
    uint256 internal constant INNER_NODE = 64;
    /// @dev Bytes of the free part of the extranonce.
    uint256 internal constant MIN_TAIL = 2;
    uint256 internal constant MAX_TAIL = 32;
    uint256 internal constant MAX_BRANCH = 16;
    /// @dev Version bits that a miner may be given: those of BIP 323.
    uint32 internal constant VERSION_BITS = 0x1fffffe0;
    /// @dev Bytes: the rest of a nonce holds the epoch and the miner's part.
    uint256 internal constant MAX_NONCE_PREFIX = 6;
    uint256 private constant LAST_DAG = 2047;
    /// @dev From this block on Etchash's DAGs last twice as long (ECIP-1099).
    uint256 private constant ECIP_1099_BLOCK = 11_700_000;
    /// @dev secp256k1n / 2 (EIP-2).
    uint256 private constant HIGHEST_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    error OtherLease();
    /// @notice The window is backwards or too long.
    error JobWindow();
    error JobOutsideLease();
    /// @notice The job is of another algorithm's kind.
    error JobKind();
    /// @notice The coinbase is too long, or as long as an inner node of a Merkle tree.
    error JobCoinbase();
    /// @notice The free part of the extranonce is too short or too long. A longer one could close
    /// the coinbase's script early and write outputs of its own.
    error JobTail();
    error JobBranch();
    /// @notice The mask lets miners choose bits that are not theirs.
    error JobVersionMask();
    /// @notice The gateway's part of the nonce is empty, or leaves no room for the epoch and the
    /// miner.
    error JobNoncePrefix();
    /// @notice The block's DAG is larger than any that is served.
    error JobBlock();
    /// @notice The header's time is hidden in an Ethash job, so its window must tell the epoch.
    error JobOutsideEpoch();
    error JobUnsigned();
    /// @notice The signature is malformed, not low-s, or not of the lease's job signer.
    error JobSignature();

    /// @notice Checks a job for SHA-256d or scrypt.
    function check(LeaseTerms memory lease, Job memory job, bytes memory signature) internal pure {
        _checkTimes(lease, job.lease, job.notBefore, job.notAfter);
        require(lease.algorithm == ALGORITHM_SHA256D || lease.algorithm == ALGORITHM_SCRYPT, JobKind());
        uint256 length = job.coinbasePrefix.length + job.tailLength + job.coinbaseSuffix.length;
        require(length <= MAX_COINBASE && length != INNER_NODE, JobCoinbase());
        require(job.tailLength >= MIN_TAIL && job.tailLength <= MAX_TAIL, JobTail());
        require(job.branch.length <= MAX_BRANCH, JobBranch());
        require(job.versionMask & ~VERSION_BITS == 0, JobVersionMask());
        _checkSignature(lease, JobLib.hash(job), signature);
    }

    /// @notice Checks a job for Ethash or Etchash.
    function check(LeaseTerms memory lease, EthashJob memory job, bytes memory signature) internal pure {
        _checkTimes(lease, job.lease, job.notBefore, job.notAfter);
        require(lease.algorithm == ALGORITHM_ETHASH || lease.algorithm == ALGORITHM_ETCHASH, JobKind());
        uint256 length = job.noncePrefix.length;
        require(length != 0 && length <= MAX_NONCE_PREFIX, JobNoncePrefix());
        bool isLong = lease.algorithm == ALGORITHM_ETCHASH && job.blockNumber >= ECIP_1099_BLOCK;
        require(job.blockNumber / (isLong ? 60_000 : 30_000) <= LAST_DAG, JobBlock());
        require(epochOf(lease, job.notBefore) == epochOf(lease, job.notAfter), JobOutsideEpoch());
        _checkSignature(lease, JobLib.hash(job), signature);
    }

    /// @notice Number of the lease's epoch that contains `time`, which is not before the start.
    function epochOf(LeaseTerms memory lease, uint256 time) internal pure returns (uint256) {
        return (time - lease.start) / lease.epochLength;
    }

    function _checkTimes(LeaseTerms memory lease, uint256 jobsLease, uint256 notBefore, uint256 notAfter) private pure {
        require(jobsLease == lease.id, OtherLease());
        require(notBefore <= notAfter && notAfter - notBefore <= MAX_WINDOW, JobWindow());
        require(notBefore >= lease.start && notAfter < lease.start + lease.duration, JobOutsideLease());
    }

    function _checkSignature(LeaseTerms memory lease, bytes32 structHash, bytes memory signature) private pure {
        require(signature.length == 65, JobSignature());
        (bytes32 r, bytes32 s) = abi.decode(signature, (bytes32, bytes32));
        uint8 v = uint8(signature[64]);
        require(r != 0 || s != 0 || v != 0, JobUnsigned());
        require(uint256(s) <= HIGHEST_S, JobSignature());
        // the precompile knows only 27 and 28 for `v`, and answers zero to anything malformed
        address signer = ecrecover(keccak256(abi.encodePacked(hex"1901", lease.domain, structHash)), v, r, s);
        require(signer != address(0) && signer == lease.jobSigner, JobSignature());
    }
}
