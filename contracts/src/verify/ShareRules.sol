// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Fits} from "contracts/src/libraries/Fits.sol";
import {EthashJob, Job} from "contracts/src/verify/JobLib.sol";
import {JobRules, LeaseTerms} from "contracts/src/verify/JobRules.sol";
import {LibBit} from "solady/utils/LibBit.sol";

/// @notice The choices of a miner of SHA-256d or scrypt.
struct HeaderShare {
    bytes tail;
    uint32 ntime;
    uint32 nonce;
    uint32 version;
}

/// @title The rules that make a share one of a job
/// @notice Pure functions of the lease, of a job that keeps `JobRules`, and of the share. Each
/// error is a rule, named like those of `JobRules`. Only a trie shows whether a key is a duplicate.
library ShareRules {
    error ExtranonceLength();
    error VersionOutsideMask();
    error NtimeTooEarly();
    error NtimeTooLate();
    /// @notice The share lies behind the end of the lease.
    error OutsideEpoch();
    error NonceOutsidePrefix();
    /// @notice The byte after the prefix is not the epoch modulo 256.
    error NonceOfOtherEpoch();
    error AboveTarget();

    // ---------------------------------------------------------------- rules

    /// @notice Checks everything but the proof of work.
    /// @return Number of the share's epoch.
    function check(LeaseTerms memory lease, Job memory job, HeaderShare memory share) internal pure returns (uint256) {
        require(share.tail.length == job.tailLength, ExtranonceLength());
        require((share.version ^ job.version) & ~job.versionMask == 0, VersionOutsideMask());
        require(share.ntime >= job.notBefore, NtimeTooEarly());
        require(share.ntime <= job.notAfter, NtimeTooLate());
        require(share.ntime < lease.end, OutsideEpoch());
        return JobRules.epochOf(lease, share.ntime);
    }

    /// @notice Checks everything but the proof of work of an Ethash share.
    /// @return epoch Number of the share's epoch, which is its job's.
    function check(LeaseTerms memory lease, EthashJob memory job, uint64 nonce) internal pure returns (uint256 epoch) {
        uint256 prefixBits = 8 * job.noncePrefix.length;
        epoch = JobRules.epochOf(lease, job.notBefore);
        // a prefix has one to six bytes
        require(
            nonce >> (64 - prefixBits) == uint64(bytes8(job.noncePrefix)) >> (64 - prefixBits), NonceOutsidePrefix()
        );
        require(nonce >> (56 - prefixBits) & 0xff == epoch & 0xff, NonceOfOtherEpoch());
        require(job.notAfter < lease.end, OutsideEpoch());
    }

    /// @notice Checks the proof of work: `hash` is at or below the target at which a share is worth
    /// `2**weightLog2` hashes.
    function checkWork(LeaseTerms memory lease, uint256 hash) internal pure {
        require(hash <= type(uint256).max >> lease.weightLog2, AboveTarget());
    }

    // ---------------------------------------------------------------- hashes

    /// @notice The 80 bytes that the miner hashed, from the rebuilt coinbase and the leftmost
    /// Merkle path.
    function header(Job memory job, HeaderShare memory share) internal pure returns (bytes memory) {
        bytes32 root = sha256d(bytes.concat(job.coinbasePrefix, share.tail, job.coinbaseSuffix));
        for (uint256 i; i < job.branch.length; ++i) {
            root = sha256d(bytes.concat(root, job.branch[i]));
        }
        return bytes.concat(
            _littleEndian(share.version),
            job.prevHash,
            root,
            _littleEndian(share.ntime),
            _littleEndian(job.nBits),
            _littleEndian(share.nonce)
        );
    }

    /// @notice Of a header, the share's key; for SHA-256d its hash as well.
    function sha256d(bytes memory message) internal pure returns (bytes32) {
        return sha256(bytes.concat(sha256(message)));
    }

    /// @notice The key of an Ethash share.
    function ethashKey(bytes32 sealHash, uint64 nonce) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(sealHash, nonce));
    }

    /// @notice A digest of SHA-256d or scrypt as a number.
    function toNumber(bytes32 digest) internal pure returns (uint256) {
        return LibBit.reverseBytes(uint256(digest));
    }

    function _littleEndian(uint32 word) private pure returns (bytes4) {
        return bytes4(Fits.u32(LibBit.reverseBytes(word) >> 224));
    }
}
