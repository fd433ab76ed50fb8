//! `tests/vectors/eip712.json`, which the contracts' tests read too: the signed structs of every
//! key in production.
//!
//! `UPDATE_VECTORS=1 cargo test -p hashlease-primitives --test vectors` rewrites the file. A change
//! of it is a change of the protocol.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::{Address, B256, Bytes, U256, aliases::U40, aliases::U96, hex, keccak256};
use alloy_sol_types::SolStruct;
use hashlease_primitives::{
    Algorithm, Commitment, Domain, EpochId, EpochRoot, EthashJob, HashRate, HeaderJob, Job, LeaseId,
    LocalSigner, SettlementWeight, Statement, Terms, UnixMillis, UnixSeconds, Work, job_receipt_digest,
    recover_signer, root_receipt_digest, typed,
};
use serde_json::{Map, Value, json};
use std::{fs, path::PathBuf};

const ESCROW: Domain = Domain { chain_id: 31_337, contract: Address::repeat_byte(0xe5) };
const ORACLE: Domain = Domain { chain_id: 31_337, contract: Address::repeat_byte(0x0c) };
const KEY_NAME: &str = "hashlease test vectors";

/// The key that signs all vectors: its secret is the hash of its name.
fn signer() -> LocalSigner {
    LocalSigner::from_bytes(keccak256(KEY_NAME).as_slice()).unwrap()
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/eip712.json")
}

/// `keccak256(abi.encode(...))` of the domain, built by hand: it uses none of the crates that hash
/// structs.
fn separator(domain: &Domain) -> B256 {
    let fields = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
    let words =
        [keccak256(fields), keccak256("Hashlease"), keccak256("1"), B256::from(U256::from(domain.chain_id))];
    keccak256([words.concat(), domain.contract.into_word().to_vec()].concat())
}

/// Adds the hashes and the signature to a struct's fields.
fn signed<T: SolStruct>(domain: (&str, &Domain), value: &T, fields: Value) -> Value {
    let (name, domain) = domain;
    let digest = domain.digest(value);
    let by_hand = keccak256(
        [&[0x19, 0x01][..], separator(domain).as_slice(), value.eip712_hash_struct().as_slice()].concat(),
    );
    assert_eq!(digest, by_hand);
    let signature = signer().sign(&digest).unwrap();
    assert_eq!(recover_signer(&digest, &signature), Some(signer().address()));
    json!({
        "type": T::eip712_encode_type(),
        "typeHash": value.eip712_type_hash(),
        "domain": name,
        "fields": fields,
        "structHash": value.eip712_hash_struct(),
        "digest": digest,
        "signature": hex::encode_prefixed(signature),
    })
}

fn offer() -> Value {
    let typed = typed::Offer {
        provider: signer().address(),
        algorithm: 1,
        token: Address::repeat_byte(0x70),
        price: 12_345_678_901_234_567_890_123,
        hashRate: U96::from(1_000_000_000_000_000u64),
        minHashRate: U96::from(100_000_000_000_000u64),
        epochLength: 3_600,
        minDuration: U40::from(3_600u64),
        maxDuration: U40::from(2_592_000u64),
        notice: 600,
        latestEnd: U40::from(1_790_000_000u64),
        bondBps: 2_000,
        cancelBps: 200,
        oracle: 1,
        jobSigner: Address::repeat_byte(0x15),
        taker: Address::repeat_byte(0x35),
        boxKey: B256::repeat_byte(0x25),
        expiry: U40::from(1_800_000_000u64),
        counter: U256::from(3),
        salt: U256::MAX,
    };
    let fields = json!({
        "provider": typed.provider,
        "algorithm": typed.algorithm.to_string(),
        "token": typed.token,
        "price": typed.price.to_string(),
        "hashRate": typed.hashRate.to_string(),
        "minHashRate": typed.minHashRate.to_string(),
        "epochLength": typed.epochLength.to_string(),
        "minDuration": typed.minDuration.to_string(),
        "maxDuration": typed.maxDuration.to_string(),
        "notice": typed.notice.to_string(),
        "latestEnd": typed.latestEnd.to_string(),
        "bondBps": typed.bondBps.to_string(),
        "cancelBps": typed.cancelBps.to_string(),
        "oracle": typed.oracle.to_string(),
        "jobSigner": typed.jobSigner,
        "taker": typed.taker,
        "boxKey": typed.boxKey,
        "expiry": typed.expiry.to_string(),
        "counter": typed.counter.to_string(),
        "salt": typed.salt.to_string(),
    });
    signed(("escrow", &ESCROW), &typed, fields)
}

fn resume() -> Value {
    let typed = typed::Resume { lease: U256::from(7), sequence: 42 };
    let fields = json!({"lease": typed.lease.to_string(), "sequence": typed.sequence.to_string()});
    signed(("escrow", &ESCROW), &typed, fields)
}

fn job(branch: Vec<B256>, tail_length: u8) -> Value {
    let job = HeaderJob {
        lease: LeaseId(7),
        sequence: 42,
        prev_hash: keccak256("previous block"),
        n_bits: 0x170e_d0eb,
        version: 0x2000_0004,
        version_mask: 0x1fff_e000,
        not_before: UnixSeconds::new(1_760_000_000),
        not_after: UnixSeconds::new(1_760_000_060),
        coinbase_prefix: (0..100).collect::<Vec<u8>>().into(),
        tail_length,
        coinbase_suffix: (0..77).rev().collect::<Vec<u8>>().into(),
        branch,
    };
    let fields = json!({
        "lease": job.lease.to_string(),
        "sequence": job.sequence.to_string(),
        "prevHash": job.prev_hash,
        "nBits": job.n_bits.to_string(),
        "version": job.version.to_string(),
        "versionMask": job.version_mask.to_string(),
        "notBefore": job.not_before.to_string(),
        "notAfter": job.not_after.to_string(),
        "coinbasePrefix": job.coinbase_prefix,
        "tailLength": job.tail_length.to_string(),
        "coinbaseSuffix": job.coinbase_suffix,
        "branch": job.branch,
    });
    let typed = job.typed();
    assert_eq!(Job::from(job).digest(&ESCROW), ESCROW.digest(&typed));
    signed(("escrow", &ESCROW), &typed, fields)
}

fn ethash_job() -> Value {
    let job = EthashJob {
        lease: LeaseId(8),
        sequence: 43,
        seal_hash: keccak256("seal"),
        block_number: 20_000_000,
        nonce_prefix: Bytes::from_static(&[0xab, 0x00, 0x07]),
        not_before: UnixSeconds::new(1_760_000_000),
        not_after: UnixSeconds::new(1_760_000_060),
    };
    let typed = job.typed();
    assert_eq!(Job::from(job).digest(&ESCROW), ESCROW.digest(&typed));
    let fields = json!({
        "lease": typed.lease.to_string(),
        "sequence": typed.sequence.to_string(),
        "sealHash": typed.sealHash,
        "blockNumber": typed.blockNumber.to_string(),
        "noncePrefix": typed.noncePrefix,
        "notBefore": typed.notBefore.to_string(),
        "notAfter": typed.notAfter.to_string(),
    });
    signed(("escrow", &ESCROW), &typed, fields)
}

fn statements() -> [Statement; 2] {
    let first = Statement {
        lease: LeaseId(7),
        as_of: UnixSeconds::new(1_760_003_600),
        work: Work::capped(0x0123_4567_89ab_cdef_0123),
        due: Work::capped(0x0123_4567_89ab_cdef_ffff),
        evidence: keccak256("evidence"),
        last: false,
    };
    let last = Statement { lease: LeaseId(9), work: Work::MAX, due: Work::ZERO, last: true, ..first };
    [first, last]
}

fn batch() -> Value {
    let all = statements();
    let list = |field: fn(&Statement) -> String| all.iter().map(field).collect::<Vec<_>>();
    let fields = json!({
        "lease": list(|statement| statement.lease.to_string()),
        "asOf": list(|statement| statement.as_of.to_string()),
        "work": list(|statement| statement.work.to_string()),
        "due": list(|statement| statement.due.to_string()),
        "evidence": list(|statement| statement.evidence.to_string()),
        "last": all.map(|statement| statement.last),
    });
    signed(("oracle", &ORACLE), &Statement::batch(&all), fields)
}

fn statement(statement: &Statement) -> Value {
    let fields = json!({
        "lease": statement.lease.to_string(),
        "asOf": statement.as_of.to_string(),
        "work": statement.work.to_string(),
        "due": statement.due.to_string(),
        "evidence": statement.evidence,
        "last": statement.last,
    });
    signed(("oracle", &ORACLE), &statement.typed(), fields)
}

fn agree() -> Value {
    let typed = typed::Agree {
        lease: U256::from(7),
        epoch: 3,
        work: U96::from(1u64 << 50),
        due: U96::from(1u64 << 51),
    };
    let fields = json!({
        "lease": typed.lease.to_string(),
        "epoch": typed.epoch.to_string(),
        "work": typed.work.to_string(),
        "due": typed.due.to_string(),
    });
    signed(("oracle", &ORACLE), &typed, fields)
}

fn epoch_root() -> Value {
    let root = EpochRoot {
        id: EpochId::new(LeaseId(7), 3),
        commitment: Commitment { root: keccak256("root"), count: 1_012 },
        evidence: "http://127.0.0.1:8645/v1/leases/7/epochs/3/evidence".into(),
    };
    let typed = typed::EpochRoot {
        lease: U256::from(root.id.lease.0),
        epoch: root.id.epoch,
        root: root.commitment.root,
        count: root.commitment.count,
        evidence: root.evidence.clone(),
    };
    assert_eq!(root.digest(&ORACLE), ORACLE.digest(&typed));
    let fields = json!({
        "lease": root.id.lease.to_string(),
        "epoch": root.id.epoch.to_string(),
        "root": root.commitment.root,
        "count": root.commitment.count.to_string(),
        "evidence": root.evidence,
    });
    signed(("oracle", &ORACLE), &typed, fields)
}

/// Terms of the lease of the receipts: only the domains and the id are in their digests.
fn terms() -> Terms {
    Terms {
        id: LeaseId(7),
        domain: ESCROW,
        oracle: ORACLE.contract,
        provider: Address::repeat_byte(0x45),
        job_signer: Address::repeat_byte(0x15),
        algorithm: Algorithm::Sha256d,
        weight: SettlementWeight::from_log2(3).unwrap(),
        rate: HashRate::new(1_000),
        start: UnixSeconds::new(1_760_000_000),
        end: UnixSeconds::new(1_760_007_200),
        duration: 7_200,
        epoch_length: 3_600,
    }
}

fn job_receipt() -> Value {
    let received = UnixMillis::new(1_760_000_000_123);
    let job = Job::from(HeaderJob {
        lease: LeaseId(7),
        sequence: 42,
        prev_hash: keccak256("previous block"),
        n_bits: 0x170e_d0eb,
        version: 0x2000_0004,
        version_mask: 0x1fff_e000,
        not_before: UnixSeconds::new(1_760_000_000),
        not_after: UnixSeconds::new(1_760_000_060),
        coinbase_prefix: (0..100).collect::<Vec<u8>>().into(),
        tail_length: 4,
        coinbase_suffix: (0..77).rev().collect::<Vec<u8>>().into(),
        branch: vec![],
    });
    let typed = typed::JobReceipt {
        lease: U256::from(7),
        sequence: 42,
        job: job.digest(&ESCROW),
        received: received.get(),
    };
    assert_eq!(job_receipt_digest(&terms(), &job, received), ORACLE.digest(&typed));
    let fields = json!({
        "lease": typed.lease.to_string(),
        "sequence": typed.sequence.to_string(),
        "job": typed.job,
        "received": typed.received.to_string(),
    });
    signed(("oracle", &ORACLE), &typed, fields)
}

fn root_receipt() -> Value {
    let received = UnixMillis::new(1_760_014_400_123);
    let root = EpochRoot {
        id: EpochId::new(LeaseId(7), 3),
        commitment: Commitment { root: keccak256("root"), count: 1_012 },
        evidence: "http://127.0.0.1:8645/v1/leases/7/epochs/3/evidence".into(),
    };
    let typed = typed::RootReceipt {
        lease: U256::from(7),
        epoch: 3,
        root: root.commitment.root,
        count: root.commitment.count,
        received: received.get(),
    };
    assert_eq!(root_receipt_digest(&terms(), &root, received), ORACLE.digest(&typed));
    let fields = json!({
        "lease": typed.lease.to_string(),
        "epoch": typed.epoch.to_string(),
        "root": typed.root,
        "count": typed.count.to_string(),
        "received": typed.received.to_string(),
    });
    signed(("oracle", &ORACLE), &typed, fields)
}

fn vectors() -> Value {
    let root = keccak256("a root");
    let [first, last] = statements();
    let branch = (0u8..12).map(|level| keccak256([level])).collect();
    let mut structs = Map::new();
    for (name, value) in [
        ("Offer", offer()),
        ("OfferRoot", signed(("escrow", &ESCROW), &typed::OfferRoot { root }, json!({ "root": root }))),
        ("Job", job(branch, 8)),
        ("JobWithoutBranch", job(vec![], 4)),
        ("EthashJob", ethash_job()),
        ("Resume", resume()),
        ("Statement", statement(&first)),
        ("StatementLast", statement(&last)),
        ("Batch", batch()),
        ("Root", signed(("oracle", &ORACLE), &typed::Root { root }, json!({ "root": root }))),
        ("Agree", agree()),
        ("EpochRoot", epoch_root()),
        ("JobReceipt", job_receipt()),
        ("RootReceipt", root_receipt()),
    ] {
        structs.insert(name.into(), value);
    }
    let domain = |domain: &Domain| {
        json!({
            "name": "Hashlease",
            "version": "1",
            "chainId": domain.chain_id.to_string(),
            "verifyingContract": domain.contract,
            "separator": separator(domain),
        })
    };
    json!({
        "key": { "name": KEY_NAME, "secret": keccak256(KEY_NAME), "address": signer().address() },
        "domains": { "escrow": domain(&ESCROW), "oracle": domain(&ORACLE) },
        "structs": structs,
    })
}

#[test]
fn the_signed_structs_are_frozen() {
    let text = format!("{}\n", serde_json::to_string_pretty(&vectors()).unwrap());
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        fs::write(path(), &text).unwrap();
    }
    let frozen: Value = serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap();
    let now: Value = serde_json::from_str(&text).unwrap();
    for (name, value) in now["structs"].as_object().unwrap() {
        assert_eq!(&frozen["structs"][name], value, "{name}");
    }
    assert_eq!(frozen, now);
}

/// The types as the design defines them.
#[test]
fn the_types_are_those_of_the_design() {
    let all = vectors();
    let expected = [
        (
            "Offer",
            "Offer(address provider,uint8 algorithm,address token,uint128 price,uint96 hashRate,uint96 minHashRate,\
             uint32 epochLength,uint40 minDuration,uint40 maxDuration,uint32 notice,uint40 latestEnd,uint16 bondBps,\
             uint16 cancelBps,uint32 oracle,address jobSigner,address taker,bytes32 boxKey,uint40 expiry,\
             uint256 counter,uint256 salt)",
        ),
        (
            "Job",
            "Job(uint256 lease,uint64 sequence,bytes32 prevHash,uint32 nBits,uint32 version,uint32 versionMask,\
             uint40 notBefore,uint40 notAfter,bytes coinbasePrefix,uint8 tailLength,bytes coinbaseSuffix,\
             bytes32[] branch)",
        ),
        (
            "EthashJob",
            "EthashJob(uint256 lease,uint64 sequence,bytes32 sealHash,uint64 blockNumber,bytes noncePrefix,\
             uint40 notBefore,uint40 notAfter)",
        ),
        (
            "Statement",
            "Statement(uint256 lease,uint40 asOf,uint96 work,uint96 due,bytes32 evidence,bool last)",
        ),
        (
            "Batch",
            "Batch(Statement[] statements)\
             Statement(uint256 lease,uint40 asOf,uint96 work,uint96 due,bytes32 evidence,bool last)",
        ),
        ("Resume", "Resume(uint256 lease,uint64 sequence)"),
        ("Root", "Root(bytes32 root)"),
        ("Agree", "Agree(uint256 lease,uint32 epoch,uint96 work,uint96 due)"),
        ("OfferRoot", "OfferRoot(bytes32 root)"),
        ("EpochRoot", "EpochRoot(uint256 lease,uint32 epoch,bytes32 root,uint64 count,string evidence)"),
        ("JobReceipt", "JobReceipt(uint256 lease,uint64 sequence,bytes32 job,uint64 received)"),
        ("RootReceipt", "RootReceipt(uint256 lease,uint32 epoch,bytes32 root,uint64 count,uint64 received)"),
    ];
    for (name, text) in expected {
        assert_eq!(all["structs"][name]["type"], text, "{name}");
        assert_eq!(all["structs"][name]["typeHash"], json!(keccak256(text)), "{name}");
    }
}
