//! Shares opened per second, beside the cost of the same share in other implementations in the same
//! run.
//!
//! `cargo bench -p hashlease-share --bench share`
#![allow(missing_docs, clippy::unwrap_used)]

use alloy_primitives::B256;
use bitcoin::{
    Amount, BlockHash, CompactTarget, Target, Transaction, TxMerkleNode, TxOut,
    block::{Header, Version},
    consensus::deserialize,
    hashes::{Hash as _, sha256d},
};
use channels_sv2::{
    extranonce_manager::ExtranonceAllocator,
    merkle_root::merkle_root_from_path,
    server::{extended::ExtendedChannel, share_accounting::ShareValidationError},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hashlease_fixtures::{header_job, sign, terms, verified, weight};
use hashlease_primitives::{HeaderJob, Terms};
use hashlease_share::{HeaderShare, Share, VerifiedJob, open_many};
use mining_sv2::SubmitSharesExtendedOwned;
use std::{hint::black_box, num::NonZero, thread};

use template_distribution_sv2::{NewTemplateOwned, SetNewPrevHashOwned};

const TIME: u64 = 1_700_000_000;
const BATCH: usize = 4_096;

fn lease() -> Terms {
    Terms { weight: weight(40), ..terms(TIME - 1_800, 7_200, 3_600) }
}

/// A job with a realistic coinbase of 250 bytes: one input with a script of 98 bytes, one output; a
/// branch of 12 hashes.
fn job() -> HeaderJob {
    let mut coinbase = vec![2, 0, 0, 0, 1];
    coinbase.extend([0; 32]);
    coinbase.extend([0xff; 4]);
    coinbase.push(98);
    let script = coinbase.len();
    coinbase.extend([0x51; 98]);
    coinbase.extend([0xff; 4]);
    coinbase.push(1);
    coinbase.extend(5_000_000_000u64.to_le_bytes());
    coinbase.push(92);
    coinbase.extend([0x51; 92]);
    coinbase.extend([0; 4]);
    assert_eq!(coinbase.len(), 250);
    let tail = script + 80;
    HeaderJob {
        prev_hash: B256::repeat_byte(1),
        n_bits: 0x1703_4219,
        coinbase_prefix: coinbase[..tail].to_vec().into(),
        tail_length: 8,
        coinbase_suffix: coinbase[tail + 8..].to_vec().into(),
        branch: (0..12).map(B256::repeat_byte).collect(),
        ..header_job(&lease(), 1, TIME..=TIME + 100)
    }
}

fn share(number: usize) -> HeaderShare {
    let tail = (number as u64).to_be_bytes().as_slice().try_into().unwrap();
    HeaderShare { tail, ntime: TIME as u32, nonce: 7, version: 0x2000_0000 }
}

fn header(root: [u8; 32], job: &HeaderJob, share: &HeaderShare) -> Header {
    Header {
        version: Version::from_consensus(share.version.cast_signed()),
        prev_blockhash: BlockHash::from_byte_array(job.prev_hash.0),
        merkle_root: TxMerkleNode::from_byte_array(root),
        time: share.ntime,
        bits: CompactTarget::from_consensus(job.n_bits),
        nonce: share.nonce,
    }
}

/// The check of a pool built on rust-bitcoin: the coinbase as a transaction, its id, the path, the
/// header's hash.
fn rust_bitcoin(job: &HeaderJob, share: &HeaderShare) -> bool {
    let coinbase = [job.coinbase_prefix.as_ref(), &share.tail, &job.coinbase_suffix].concat();
    let coinbase: Transaction = deserialize(&coinbase).unwrap();
    let root = job.branch.iter().fold(coinbase.compute_txid().to_byte_array(), |left, right| {
        sha256d::Hash::hash(&[left, right.0].concat()).to_byte_array()
    });
    Target::MAX_ATTAINABLE_MAINNET.is_met_by(header(root, job, share).block_hash())
}

/// A pool server's channel of the SV2 stack, with a job of the same coinbase length and branch
/// length. No share meets its target, so the channel hashes and judges each share and remembers
/// none as a duplicate.
struct Sv2Channel(ExtendedChannel);

impl Sv2Channel {
    const PREFIX: usize = 12;

    fn new(job: &HeaderJob) -> Self {
        let mut prefixes = ExtranonceAllocator::new(vec![7; 10], 20, 1 << 16).unwrap();
        let prefix = prefixes.allocate_extended(8).unwrap();
        assert_eq!(prefix.as_bytes().len(), Self::PREFIX);
        // the rate asks for the hardest possible target
        let (easiest, rate) = (Target::from_le_bytes([0xff; 32]), 1e25);
        let user = "user".to_owned();
        let mut channel = ExtendedChannel::new_for_pool(
            1,
            user,
            prefix,
            easiest,
            rate,
            true,
            8,
            100,
            1.0,
            String::new(),
            None,
        )
        .unwrap();
        let template = NewTemplateOwned {
            template_id: 1,
            future_template: true,
            version: job.version,
            coinbase_tx_version: 2,
            coinbase_prefix: vec![82, 0].try_into().unwrap(),
            coinbase_tx_input_sequence: u32::MAX,
            coinbase_tx_value_remaining: 5_000_000_000,
            coinbase_tx_outputs_count: 0,
            coinbase_tx_outputs: Vec::new().try_into().unwrap(),
            coinbase_tx_locktime: 0,
            merkle_path: job.branch.iter().map(|hash| hash.0.into()).collect::<Vec<_>>().try_into().unwrap(),
        };
        // fills the coinbase up to 250 bytes
        let script_pubkey = vec![0x51; 160].into();
        let reward = TxOut { value: Amount::from_sat(5_000_000_000), script_pubkey };
        channel.on_new_template(template, vec![reward]).unwrap();
        let tip = SetNewPrevHashOwned {
            template_id: 1,
            prev_hash: job.prev_hash.0.into(),
            header_timestamp: TIME as u32,
            n_bits: job.n_bits,
            target: [0; 32].into(),
        };
        channel.on_set_new_prev_hash(tip).unwrap();
        let active = channel.get_active_job().unwrap();
        let length = active.get_coinbase_tx_prefix_without_bip141().len()
            + active.get_coinbase_tx_suffix_without_bip141().len();
        assert_eq!(length + Self::PREFIX + 8, 250);
        Self(channel)
    }

    fn validate(&mut self, share: &HeaderShare) -> bool {
        let job_id = self.0.get_active_job().unwrap().get_job_id();
        let share = SubmitSharesExtendedOwned {
            channel_id: 1,
            sequence_number: 1,
            job_id,
            nonce: share.nonce,
            ntime: share.ntime,
            version: share.version,
            extranonce: share.tail.to_vec().try_into().unwrap(),
        };
        matches!(self.0.validate_share(share), Err(ShareValidationError::DoesNotMeetTarget(_)))
    }
}

/// The hashing of `ExtendedChannel::validate_share` in the SV2 stack, without its accounting.
fn sv2(job: &HeaderJob, path: &[[u8; 32]], share: &HeaderShare) -> bool {
    let root = merkle_root_from_path(&job.coinbase_prefix, &job.coinbase_suffix, &share.tail, path).unwrap();
    Target::MAX_ATTAINABLE_MAINNET.is_met_by(header(root, job, share).block_hash())
}

fn open_all(terms: &Terms, job: &VerifiedJob, shares: &[Share]) -> usize {
    let mut met = 0;
    open_many(terms.end, shares.iter().map(|share| (job, share)), |_, opened| {
        met += usize::from(opened.is_ok_and(|opened| opened.settle().is_ok()));
    });
    met
}

fn sha256d_shares(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sha256d share, 250 bytes of coinbase, 12 branch hashes");
    let terms = lease();
    let plain = job();
    let path: Vec<[u8; 32]> = plain.branch.iter().map(|hash| hash.0).collect();
    let job = verified(&terms, plain.clone());
    let shares: Vec<Share> = (0..BATCH).map(|number| share(number).into()).collect();
    let mut number = 0;
    group.throughput(Throughput::Elements(1));
    group.bench_function("open, one", |bencher| {
        bencher.iter(|| {
            number = (number + 1) % BATCH;
            job.open(&shares[number], terms.end).unwrap().settle().is_ok()
        });
    });
    group.bench_function("rust-bitcoin", |bencher| {
        bencher.iter(|| {
            number = (number + 1) % BATCH;
            rust_bitcoin(&plain, black_box(&share(number)))
        });
    });
    let mut channel = Sv2Channel::new(&plain);
    group.bench_function("SV2 stack, validate_share", |bencher| {
        bencher.iter(|| {
            number = (number + 1) % BATCH;
            assert!(channel.validate(black_box(&share(number))));
        });
    });
    group.bench_function("SV2 stack, hashing only", |bencher| {
        bencher.iter(|| {
            number = (number + 1) % BATCH;
            sv2(&plain, &path, black_box(&share(number)))
        });
    });
    for count in [64, BATCH] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("open_many, {count}"), |bencher| {
            bencher.iter(|| open_all(&terms, &job, black_box(&shares[..count])));
        });
    }
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    group.throughput(Throughput::Elements((cores * 16 * BATCH) as u64));
    group.bench_function(format!("open_many on {cores} threads, 65,536 each"), |bencher| {
        bencher.iter(|| {
            thread::scope(|scope| {
                for _ in 0..cores {
                    scope.spawn(|| (0..16).map(|_| open_all(&terms, &job, &shares)).sum::<usize>());
                }
            });
        });
    });
    group.finish();
}

fn jobs(criterion: &mut Criterion) {
    let terms = lease();
    let signed = sign(&terms, job());
    criterion.bench_function("job verified", |bencher| {
        bencher.iter(|| VerifiedJob::verify(&terms, black_box(signed.clone())).unwrap());
    });
}

criterion_group!(benches, sha256d_shares, jobs);
criterion_main!(benches);
