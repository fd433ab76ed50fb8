// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @notice A signed SHA-256d or scrypt job, as openings will contain it.
struct Job {
    uint256 lease;
    uint64 sequence;
    bytes32 prevHash;
    uint32 nBits;
    uint32 version;
    uint32 versionMask;
    uint40 notBefore;
    uint40 notAfter;
    bytes coinbasePrefix;
    uint8 tailLength;
    bytes coinbaseSuffix;
    bytes32[] branch;
}

/// @notice A signed Ethash or Etchash job, as openings will contain it.
struct EthashJob {
    uint256 lease;
    uint64 sequence;
    bytes32 sealHash;
    uint64 blockNumber;
    bytes noncePrefix;
    uint40 notBefore;
    uint40 notAfter;
}

/// @title EIP-712 struct hashes of jobs
library JobLib {
    bytes32 internal constant TYPEHASH = keccak256(
        "Job(uint256 lease,uint64 sequence,bytes32 prevHash,uint32 nBits,uint32 version,uint32 versionMask,"
        "uint40 notBefore,uint40 notAfter,bytes coinbasePrefix,uint8 tailLength,bytes coinbaseSuffix,bytes32[] branch)"
    );
    bytes32 internal constant ETHASH_TYPEHASH = keccak256(
        "EthashJob(uint256 lease,uint64 sequence,bytes32 sealHash,uint64 blockNumber,bytes noncePrefix,"
        "uint40 notBefore,uint40 notAfter)"
    );

    /// @notice EIP-712 struct hash of a job.
    function hash(Job memory job) internal pure returns (bytes32) {
        bytes memory head = abi.encode(
            TYPEHASH,
            job.lease,
            job.sequence,
            job.prevHash,
            job.nBits,
            job.version,
            job.versionMask,
            job.notBefore,
            job.notAfter
        );
        bytes memory tail = abi.encode(
            keccak256(job.coinbasePrefix),
            job.tailLength,
            keccak256(job.coinbaseSuffix),
            keccak256(abi.encodePacked(job.branch))
        );
        return keccak256(bytes.concat(head, tail));
    }

    /// @notice EIP-712 struct hash of an Ethash job.
    function hash(EthashJob memory job) internal pure returns (bytes32) {
        return keccak256(
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
    }
}
