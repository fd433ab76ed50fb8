//! The EIP-712 structs exactly as they are signed, for hashing.
//!
//! The domain is `{name "Hashlease", version "1", chainId, verifyingContract}`: the escrow for
//! [`Offer`], [`OfferRoot`], [`Job`] and [`EthashJob`], the oracle for the others. Changing a field
//! here changes what every key in the field signs; the shared vectors in
//! `tests/vectors/eip712.json` pin them.
#![allow(missing_docs, unreachable_pub)]

alloy_sol_types::sol! {
    #[derive(Debug, PartialEq, Eq)]
    struct Offer {
        address provider;
        uint8 algorithm;
        address token;
        uint128 price;
        uint96 hashRate;
        uint96 minHashRate;
        uint32 epochLength;
        uint40 minDuration;
        uint40 maxDuration;
        uint32 notice;
        uint40 latestEnd;
        uint16 bondBps;
        uint16 cancelBps;
        uint32 oracle;
        address jobSigner;
        address taker;
        bytes32 boxKey;
        uint40 expiry;
        uint256 counter;
        uint256 salt;
    }

    #[derive(Debug, PartialEq, Eq)]
    struct OfferRoot {
        bytes32 root;
    }

    #[derive(Debug, PartialEq, Eq)]
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

    #[derive(Debug, PartialEq, Eq)]
    struct EthashJob {
        uint256 lease;
        uint64 sequence;
        bytes32 sealHash;
        uint64 blockNumber;
        bytes noncePrefix;
        uint40 notBefore;
        uint40 notAfter;
    }

    /// The lease's controller has a gateway sign jobs again that holds them back.
    #[derive(Debug, PartialEq, Eq)]
    struct Resume {
        uint256 lease;
        uint64 sequence;
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Statement {
        uint256 lease;
        uint40 asOf;
        uint96 work;
        uint96 due;
        bytes32 evidence;
        bool last;
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Batch {
        Statement[] statements;
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Root {
        bytes32 root;
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Agree {
        uint256 lease;
        uint32 epoch;
        uint96 work;
        uint96 due;
    }

    /// The provider's claim for an epoch, made to the committee: where its evidence is, and what
    /// it will show.
    #[derive(Debug, PartialEq, Eq)]
    struct EpochRoot {
        uint256 lease;
        uint32 epoch;
        bytes32 root;
        uint64 count;
        string evidence;
    }

    /// A member's word that it has a job, and since when. `job` is the job's digest in the
    /// escrow's domain, `received` Unix milliseconds.
    #[derive(Debug, PartialEq, Eq)]
    struct JobReceipt {
        uint256 lease;
        uint64 sequence;
        bytes32 job;
        uint64 received;
    }

    /// A member's word that it has an epoch root, and since when, in Unix milliseconds. It says
    /// nothing about where the evidence is: a corrected URL is no other root.
    #[derive(Debug, PartialEq, Eq)]
    struct RootReceipt {
        uint256 lease;
        uint32 epoch;
        bytes32 root;
        uint64 count;
        uint64 received;
    }
}
