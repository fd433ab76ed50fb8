// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Job, JobLib} from "contracts/src/verify/JobLib.sol";
import {KeccakF} from "tests/support/KeccakF.sol";

/// @title The evidence rules, written once more
/// @notice Plain, slow and independent of the nodes' code, to compare it with. Not deployed.
/// Returns the code of a rule that fails, or `""`.
library EvidenceRules {
    struct Lease {
        uint256 id;
        uint256 start;
        uint256 end;
        uint256 epochLength;
        uint256 weightLog2;
        address jobSigner;
        bytes32 separator;
    }

    struct HeaderShare {
        bytes tail;
        uint32 ntime;
        uint32 nonce;
        uint32 version;
    }

    struct EthashJob {
        uint256 lease;
        uint64 sequence;
        bytes32 sealHash;
        uint64 blockNumber;
        bytes noncePrefix;
        uint40 notBefore;
        uint40 notAfter;
    }

    bytes32 private constant ETHASH_TYPEHASH = keccak256(
        "EthashJob(uint256 lease,uint64 sequence,bytes32 sealHash,uint64 blockNumber,bytes noncePrefix,"
        "uint40 notBefore,uint40 notAfter)"
    );
    /// @dev secp256k1n / 2 (EIP-2).
    uint256 private constant HIGHEST_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    // ---------------------------------------------------------------- jobs

    function ofJob(Lease memory lease, Job memory job, bytes memory signature) internal pure returns (string memory) {
        if (job.lease != lease.id) return "other-lease";
        if (!_window(job.notBefore, job.notAfter)) return "job-window";
        uint256 length = job.coinbasePrefix.length + job.tailLength + job.coinbaseSuffix.length;
        if (length > 1024 || length == 64) return "job-coinbase";
        if (job.tailLength > 32) return "job-tail";
        if (job.branch.length > 16) return "job-branch";
        return _ofSignature(lease, JobLib.hash(job), signature);
    }

    function ofEthashJob(Lease memory lease, EthashJob memory job, bytes memory signature)
        internal
        pure
        returns (string memory)
    {
        if (job.lease != lease.id) return "other-lease";
        if (!_window(job.notBefore, job.notAfter)) return "job-window";
        if (job.noncePrefix.length > 6) return "job-nonce-prefix";
        if (job.blockNumber / 30_000 > 2047) return "job-block";
        if (!_inside(lease, job.notBefore) || !_inside(lease, job.notAfter)) return "job-outside-epoch";
        if (epochOf(lease, job.notBefore) != epochOf(lease, job.notAfter)) return "job-outside-epoch";
        bytes32 structHash = keccak256(
            abi.encode(
                ETHASH_TYPEHASH,
                job.lease,
                job.sequence,
                job.sealHash,
                job.blockNumber,
                keccak256(job.noncePrefix),
                job.notBefore,
                job.notAfter
            )
        );
        return _ofSignature(lease, structHash, signature);
    }

    function _window(uint256 notBefore, uint256 notAfter) private pure returns (bool) {
        return notBefore <= notAfter && notAfter - notBefore <= 600;
    }

    function _ofSignature(Lease memory lease, bytes32 structHash, bytes memory signature)
        private
        pure
        returns (string memory)
    {
        if (keccak256(signature) == keccak256(new bytes(65))) return "job-unsigned";
        (bytes32 r, bytes32 s) = abi.decode(signature, (bytes32, bytes32));
        if (uint256(s) > HIGHEST_S) return "job-signature";
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", lease.separator, structHash));
        // the precompile accepts only 27 and 28 for `v`
        address signer = ecrecover(digest, uint8(signature[64]), r, s);
        return signer == lease.jobSigner && signer != address(0) ? "" : "job-signature";
    }

    // ---------------------------------------------------------------- times

    function _inside(Lease memory lease, uint256 time) private pure returns (bool) {
        return time >= lease.start && time < lease.end;
    }

    function epochOf(Lease memory lease, uint256 time) internal pure returns (uint256) {
        return (time - lease.start) / lease.epochLength;
    }

    // ---------------------------------------------------------------- shares

    function ofShare(Lease memory lease, Job memory job, HeaderShare memory share)
        internal
        pure
        returns (string memory)
    {
        if (share.tail.length != job.tailLength) return "extranonce-length";
        for (uint256 bit; bit < 32; ++bit) {
            bool free = job.versionMask >> bit & 1 == 1;
            if (!free && (share.version >> bit & 1) != (job.version >> bit & 1)) return "version-outside-mask";
        }
        if (share.ntime < job.notBefore) return "ntime-too-early";
        if (share.ntime > job.notAfter) return "ntime-too-late";
        return _inside(lease, share.ntime) ? "" : "outside-epoch";
    }

    function ofEthashShare(Lease memory lease, EthashJob memory job, uint64 nonce)
        internal
        pure
        returns (string memory)
    {
        bytes8 bytesOfNonce = bytes8(nonce);
        uint256 length = job.noncePrefix.length;
        for (uint256 i; i < length; ++i) {
            if (bytesOfNonce[i] != job.noncePrefix[i]) return "nonce-outside-prefix";
        }
        return uint8(bytesOfNonce[length]) == epochOf(lease, job.notBefore) % 256 ? "" : "nonce-of-other-epoch";
    }

    /// @notice The last rule: `hash` is at or below the settlement target for a weight of
    /// `2**weightLog2` hashes.
    function ofHash(Lease memory lease, uint256 hash) internal pure returns (string memory) {
        return hash <= type(uint256).max >> lease.weightLog2 ? "" : "above-target";
    }

    // ---------------------------------------------------------------- hashes

    function header(Job memory job, HeaderShare memory share) internal pure returns (bytes memory) {
        bytes32 root = sha256d(bytes.concat(job.coinbasePrefix, share.tail, job.coinbaseSuffix));
        for (uint256 i; i < job.branch.length; ++i) {
            root = sha256d(bytes.concat(root, job.branch[i]));
        }
        return bytes.concat(
            _reversed(share.version),
            job.prevHash,
            root,
            _reversed(share.ntime),
            _reversed(job.nBits),
            _reversed(share.nonce)
        );
    }

    function sha256d(bytes memory message) internal pure returns (bytes32) {
        return sha256(bytes.concat(sha256(message)));
    }

    /// @notice A digest as a number, little endian.
    function littleEndian(bytes32 digest) internal pure returns (uint256 number) {
        for (uint256 i = 32; i > 0; --i) {
            number = number << 8 | uint8(digest[i - 1]);
        }
    }

    /// @notice Identifies an Ethash share.
    function ethashKey(bytes32 sealHash, uint64 nonce) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(sealHash, nonce));
    }

    /// @notice The number of a mix that the target is compared with.
    function ethashResult(bytes32 sealHash, uint64 nonce, bytes32 mix) internal pure returns (uint256) {
        bytes memory seed = KeccakF.keccak512(bytes.concat(sealHash, _reversedLong(nonce)));
        return uint256(keccak256(bytes.concat(seed, mix)));
    }

    function _reversed(uint32 word) private pure returns (bytes4) {
        return bytes4(word << 24 | (word & 0xff00) << 8 | (word >> 8 & 0xff00) | word >> 24);
    }

    function _reversedLong(uint64 word) private pure returns (bytes8) {
        word = (word & 0xff00ff00ff00ff00) >> 8 | (word & 0x00ff00ff00ff00ff) << 8;
        word = (word & 0xffff0000ffff0000) >> 16 | (word & 0x0000ffff0000ffff) << 16;
        return bytes8(word >> 32 | word << 32);
    }
}
