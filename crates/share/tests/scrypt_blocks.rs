//! Real blocks of Litecoin, and parents of merged-mined Dogecoin blocks, are shares of scrypt
//! leases.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use alloy_primitives::B256;
use common::{cut, terms, time};
use hashlease_fixtures::{sign, verified};
use hashlease_pow::{AuxPow, sha256d};
use hashlease_primitives::{Algorithm, Target};
use hashlease_share::{EvidenceReason, VerifiedJob, open_many};
use serde_json::Value;

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn hashes(value: &Value) -> Vec<B256> {
    value.as_array().unwrap().iter().map(|hash| B256::from_slice(&bytes(hash))).collect()
}

/// Name, hashed header, the header's coinbase, the branch, and the target that the header met.
type Block = (String, [u8; 80], Vec<u8>, Vec<B256>, Target);

fn blocks() -> Vec<Block> {
    let mut all = Vec::new();
    let bits =
        |header: &[u8]| Target::from_compact(u32::from_le_bytes(header[72..76].try_into().unwrap())).unwrap();
    let litecoin: Vec<Value> =
        serde_json::from_str(include_str!("../../../tests/vectors/litecoin_blocks.json")).unwrap();
    for block in &litecoin {
        let stratum = &block["stratum"];
        let parts = ["coinb1", "extranonce1", "extranonce2", "coinb2"].map(|part| bytes(&stratum[part]));
        let header = bytes(&block["header"]);
        let target = bits(&header);
        let name = block["name"].as_str().unwrap().to_owned();
        all.push((
            name,
            header.try_into().unwrap(),
            parts.concat(),
            hashes(&stratum["merkle_branch"]),
            target,
        ));
    }
    let dogecoin: Vec<Value> =
        serde_json::from_str(include_str!("../../../tests/vectors/dogecoin_blocks.json")).unwrap();
    for block in dogecoin.iter().filter(|block| block["auxpow"].is_object()) {
        let aux = &block["auxpow"];
        let name = block["name"].as_str().unwrap().to_owned();
        let parent: [u8; 80] = bytes(&aux["parent_header"]).try_into().unwrap();
        // the child's target, since the parent's own target may be harder
        let target = bits(&bytes(&block["header"]));
        all.push((name, parent, bytes(&aux["parent_coinbase"]), hashes(&aux["coinbase_branch"]), target));
    }
    all
}

#[test]
fn real_blocks_are_shares() {
    let all = blocks();
    assert!(all.len() >= 3);
    for (name, header, coinbase, branch, target) in all {
        let log2 = u8::try_from(target.work().hashes().ilog2()).unwrap();
        let terms = terms(Algorithm::Scrypt, log2, time(&header), 0);
        // the script of the only input starts at byte 42
        let (job, share) = cut(&header, &coinbase, 43..46, &branch);
        let job = verified(&terms, job);
        let opened = job.open(&share.clone().into(), terms.end).unwrap();
        assert_eq!(opened.header(), Some(&header), "{name}");
        assert_eq!(opened.key(), sha256d(&header), "{name}: the identity is not the proof of work");
        assert!(opened.meets(target), "{name}");
        let share_of_it = opened.settle().unwrap();
        assert_eq!((share_of_it.epoch(), share_of_it.work().hashes()), (0, 1 << log2), "{name}");

        // its SHA-256d hash misses the target
        let sha = hashlease_primitives::Terms { algorithm: Algorithm::Sha256d, ..terms.clone() };
        let other = VerifiedJob::verify(&sha, job.signed().clone()).unwrap();
        let refused = other.open(&share.clone().into(), sha.end).unwrap().settle().unwrap_err();
        assert_eq!(refused, EvidenceReason::AboveTarget, "{name}");

        // only one share holds among many with flipped bits along the batch
        let flips: Vec<_> = (0..32)
            .map(|bit| {
                hashlease_share::HeaderShare { nonce: share.nonce ^ (1 << bit), ..share.clone() }.into()
            })
            .chain([share.clone().into()])
            .collect();
        let mut met = vec![None; flips.len()];
        open_many(terms.end, flips.iter().map(|share| (&job, share)), |i, opened| {
            met[i] = Some(opened.unwrap().settle().is_ok());
        });
        assert!(met[..32].iter().all(|met| *met == Some(false)) && met[32] == Some(true), "{name}: {met:?}");
    }
}

/// A merged-mined block of Dogecoin adds no work to its parent's: both lead to one header, hence to
/// one key.
#[test]
fn a_merged_mined_block_is_the_work_of_its_parent() {
    let all: Vec<Value> =
        serde_json::from_str(include_str!("../../../tests/vectors/dogecoin_blocks.json")).unwrap();
    let merged: Vec<&Value> = all.iter().filter(|block| block["auxpow"].is_object()).collect();
    assert!(merged.len() >= 2);
    for block in merged {
        let aux = &block["auxpow"];
        let (coinbase, header) = (bytes(&aux["parent_coinbase"]), bytes(&block["header"]));
        let parent: [u8; 80] = bytes(&aux["parent_header"]).try_into().unwrap();
        let words = |field: &str| hashes(&aux[field]).iter().map(|hash| hash.0).collect::<Vec<_>>();
        let (coinbase_branch, chain_branch) = (words("coinbase_branch"), words("chain_branch"));
        let part = AuxPow {
            coinbase: &coinbase,
            coinbase_branch: &coinbase_branch,
            coinbase_index: 0,
            chain_branch: &chain_branch,
            chain_index: u32::try_from(aux["chain_index"].as_u64().unwrap()).unwrap(),
            parent: &parent,
        };
        // Dogecoin's chain id
        let counted = *part.verify(&header.try_into().unwrap(), 0x62).unwrap();
        let terms = terms(Algorithm::Scrypt, 1, time(&parent), 0);
        let (job, share) = cut(&parent, &coinbase, 43..46, &hashes(&aux["coinbase_branch"]));
        let opened = verified(&terms, job).open(&share.into(), terms.end).unwrap();
        assert_eq!(opened.key(), sha256d(&counted));
    }
}

#[test]
fn a_job_of_the_other_kind_is_refused() {
    let (_, header, coinbase, branch, _) = blocks().remove(0);
    let (job, _) = cut(&header, &coinbase, 43..46, &branch);
    for algorithm in [Algorithm::Ethash, Algorithm::Etchash] {
        let terms = terms(algorithm, 1, time(&header), 0);
        let refused = VerifiedJob::verify(&terms, sign(&terms, job.clone())).unwrap_err();
        assert_eq!(refused, EvidenceReason::JobKind(algorithm));
        assert_eq!(refused.code(), "job-kind");
    }
}
