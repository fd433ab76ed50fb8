//! Real Bitcoin blocks, split as a job splits them, are shares at their own target; with one
//! flipped bit they are not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::{B256, U256};
use arrayvec::ArrayVec;
use hashlease_fixtures::{header_job, sign, terms, weight};
use hashlease_pow::sha256d;
use hashlease_primitives::{HeaderJob, SignedJob, Target, Terms, UnixSeconds};
use hashlease_share::{EvidenceReason, HeaderShare, OpenedShare, VerifiedJob};
use serde_json::Value;

/// The bits that miners roll: those of BIP 320, and three more that one of the blocks uses.
const MASK: u32 = 0x1fff_e000;

struct Block {
    name: String,
    hash: String,
    header: [u8; 80],
    segwit: bool,
    coinbase: Vec<u8>,
    coinbase_txid: String,
    branch: Vec<B256>,
}

fn blocks() -> Vec<Block> {
    let text = include_str!("../../../tests/vectors/bitcoin_blocks.json");
    let all: Vec<Value> = serde_json::from_str(text).unwrap();
    let string = |value: &Value| value.as_str().unwrap().to_owned();
    let bytes = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
    all.iter()
        .map(|block| Block {
            name: string(&block["name"]),
            hash: string(&block["hash"]),
            header: bytes(&block["header"]).try_into().unwrap(),
            segwit: block["segwit"].as_bool().unwrap(),
            coinbase: bytes(&block["coinbase"]),
            coinbase_txid: string(&block["coinbaseTxid"]),
            branch: block["branch"].as_array().unwrap().iter().map(|h| B256::from_slice(&bytes(h))).collect(),
        })
        .collect()
}

/// A digest in the notation of block explorers.
fn displayed(digest: B256) -> String {
    hex::encode(digest.iter().rev().copied().collect::<Vec<_>>())
}

impl Block {
    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.header[at..at + 4].try_into().unwrap())
    }

    fn target(&self) -> Target {
        Target::from_compact(self.word(72)).unwrap()
    }

    fn terms(&self) -> Terms {
        let start = u64::from(self.word(68)) - 100;
        let log2 = self.target().work().hashes().ilog2().try_into().unwrap();
        Terms { weight: weight(log2), ..terms(start, 7_200, 3_600) }
    }

    /// The range of the only input's script in the coinbase.
    fn script(&self) -> std::ops::Range<usize> {
        // version, number of inputs, the null outpoint; then the script's length, below 100 by
        // consensus
        assert_eq!((self.coinbase[4], &self.coinbase[5..37]), (1, &[0u8; 32][..]));
        42..42 + usize::from(self.coinbase[41])
    }

    /// The first and the last place inside the script for a tail of `length` bytes.
    fn cuts(&self, length: usize) -> Vec<usize> {
        let script = self.script();
        if script.len() < length { vec![] } else { vec![script.start, script.end - length] }
    }

    fn cut(&self, at: usize, length: usize) -> (HeaderJob, HeaderShare) {
        let (version, ntime) = (self.word(0), self.word(68));
        let (prefix, rest) = self.coinbase.split_at(at);
        let (tail, suffix) = rest.split_at(length);
        let window = u64::from(ntime) - 30..=u64::from(ntime) + 60;
        let job = HeaderJob {
            prev_hash: B256::from_slice(&self.header[4..36]),
            n_bits: self.word(72),
            version: version & !MASK,
            version_mask: MASK,
            coinbase_prefix: prefix.to_vec().into(),
            tail_length: length.try_into().unwrap(),
            coinbase_suffix: suffix.to_vec().into(),
            branch: self.branch.clone(),
            ..header_job(&self.terms(), 1, window)
        };
        let tail = ArrayVec::try_from(tail).unwrap();
        (job, HeaderShare { tail, ntime, nonce: self.word(76), version })
    }
}

fn open(terms: &Terms, job: HeaderJob, share: &HeaderShare) -> Result<OpenedShare, EvidenceReason> {
    VerifiedJob::verify(terms, sign(terms, job))?.open(&share.clone().into(), terms.end)
}

#[test]
fn real_blocks_are_shares_at_their_own_target() {
    let blocks = blocks();
    assert!(blocks.len() >= 10 && blocks.iter().any(|block| block.segwit));
    assert!(
        blocks.iter().any(|block| block.word(0) & MASK & !0x2000_0000 != 0),
        "a block with rolled version bits"
    );
    for block in &blocks {
        let (name, terms) = (&block.name, block.terms());
        assert_eq!(displayed(sha256d(&block.coinbase)), block.coinbase_txid, "{name}");
        let cuts: Vec<_> = [4, 8]
            .iter()
            .flat_map(|length| block.cuts(*length).into_iter().map(|at| (at, *length)))
            .collect();
        assert!(cuts.len() >= 2, "{name}");
        for (at, length) in cuts {
            let (job, share) = block.cut(at, length);
            let opened = open(&terms, job, &share).unwrap();
            assert_eq!(opened.header(), Some(&block.header), "{name} cut at {at}+{length}");
            assert_eq!(displayed(opened.key()), block.hash, "{name}");
            assert!(opened.meets(block.target()), "{name}");
            // with the block's own hash as the target, and one below
            assert!(opened.meets(Target(opened.hash())), "{name}");
            assert!(!opened.meets(Target(opened.hash() - U256::ONE)), "{name}");
            let counted = opened.settle().unwrap();
            assert_eq!((counted.epoch(), counted.key()), (0, sha256d(&block.header)), "{name}");
        }
    }
}

#[test]
fn a_flipped_bit_of_the_share_is_refused() {
    for block in blocks() {
        let terms = block.terms();
        let (job, share) = block.cut(block.cuts(4)[0], 4);
        let verified = VerifiedJob::verify(&terms, sign(&terms, job)).unwrap();
        let refused = |share: &HeaderShare| match verified.open(&share.clone().into(), terms.end) {
            Err(reason) => Some(reason),
            Ok(opened) => {
                let meets = opened.meets(block.target());
                let refused = opened.settle().err();
                // the settlement target is at most twice the block's target
                assert!(!meets || refused.is_none(), "{}: {share:?}", block.name);
                refused
            }
        };
        assert_eq!(refused(&share), None);
        for bit in 0..32u32 {
            let one = 1 << bit;
            let nonce = HeaderShare { nonce: share.nonce ^ one, ..share.clone() };
            assert_eq!(refused(&nonce), Some(EvidenceReason::AboveTarget), "{}", block.name);
            let code = refused(&HeaderShare { ntime: share.ntime ^ one, ..share.clone() }).unwrap().code();
            assert!(["above-target", "ntime-too-early", "ntime-too-late"].contains(&code), "{code}");
            let code =
                refused(&HeaderShare { version: share.version ^ one, ..share.clone() }).unwrap().code();
            let expected = if MASK & one == 0 { "version-outside-mask" } else { "above-target" };
            assert_eq!(code, expected, "{} version bit {bit}", block.name);
            let mut tail = share.clone();
            tail.tail[bit as usize / 8] ^= 1 << (bit % 8);
            assert_eq!(refused(&tail), Some(EvidenceReason::AboveTarget), "{}", block.name);
        }
        let mut longer = share.clone();
        longer.tail.push(0);
        assert_eq!(refused(&longer), Some(EvidenceReason::ExtranonceLength { expected: 4, actual: 5 }));
    }
}

/// A cancellation after the job's verification makes the end earlier; nothing makes it later.
#[test]
fn a_share_after_the_end_as_it_is_now_is_refused() {
    let block = &blocks()[0];
    let terms = block.terms();
    let (job, share) = block.cut(block.cuts(4)[0], 4);
    let verified = VerifiedJob::verify(&terms, sign(&terms, job)).unwrap();
    let ntime = u64::from(share.ntime);
    let open =
        |end: u64| verified.open(&share.clone().into(), UnixSeconds::new(end)).map(|opened| opened.epoch());
    let outside =
        EvidenceReason::OutsideEpoch { time: UnixSeconds::new(ntime), end: UnixSeconds::new(ntime) };
    assert_eq!(open(terms.end.get()), Ok(0));
    assert_eq!(open(ntime + 1), Ok(0));
    assert_eq!(open(ntime), Err(outside.clone()));
    let ended = Terms { end: UnixSeconds::new(ntime), ..terms.clone() };
    let verified = VerifiedJob::verify(&ended, verified.signed().clone()).unwrap();
    let refused = verified.open(&share.into(), UnixSeconds::new(u64::MAX)).unwrap_err();
    assert_eq!(refused, outside);
}

/// Every job that differs from this one in one bit covered by the header or the signature.
fn flipped(job: &HeaderJob) -> Vec<(String, HeaderJob)> {
    let mut all = Vec::new();
    let mut put = |what: &str, bit: usize, change: &dyn Fn(&mut HeaderJob, u8)| {
        let mut other = job.clone();
        change(&mut other, 1 << (bit % 8));
        all.push((format!("{what} bit {bit}"), other));
    };
    for bit in 0..256 {
        put("previous hash", bit, &|job, flip| job.prev_hash[bit / 8] ^= flip);
        for level in 0..job.branch.len() {
            put("branch", bit, &|job, flip| job.branch[level][bit / 8] ^= flip);
        }
    }
    for bit in 0..job.coinbase_prefix.len() * 8 {
        put("prefix", bit, &|job, flip| {
            let mut bytes = job.coinbase_prefix.to_vec();
            bytes[bit / 8] ^= flip;
            job.coinbase_prefix = bytes.into();
        });
    }
    for bit in 0..job.coinbase_suffix.len() * 8 {
        put("suffix", bit, &|job, flip| {
            let mut bytes = job.coinbase_suffix.to_vec();
            bytes[bit / 8] ^= flip;
            job.coinbase_suffix = bytes.into();
        });
    }
    for bit in 0..32 {
        put("bits", bit, &|job, _| job.n_bits ^= 1 << bit);
    }
    all
}

#[test]
fn a_flipped_bit_of_the_job_is_refused_whoever_signs_it() {
    for block in blocks() {
        let terms = block.terms();
        let (job, share) = block.cut(block.cuts(4)[0], 4);
        let SignedJob { signature, .. } = sign(&terms, job.clone());
        // every bit of the block with rolled version bits, some bits of the others
        let step = if block.word(0) == 0x3fff_e004 { 1 } else { 61 };
        for (what, other) in flipped(&job).into_iter().step_by(step) {
            let forged = SignedJob { job: other.clone().into(), signature };
            let refused = VerifiedJob::verify(&terms, forged).unwrap_err();
            assert_eq!(refused, EvidenceReason::JobSignature, "{} {what}", block.name);
            // with a valid signature: the work was not done on this job
            let opened = open(&terms, other, &share).unwrap();
            assert_ne!(opened.header(), Some(&block.header), "{} {what}", block.name);
            assert!(!opened.meets(block.target()), "{} {what}", block.name);
            assert_eq!(opened.settle().unwrap_err(), EvidenceReason::AboveTarget, "{} {what}", block.name);
        }
    }
}
