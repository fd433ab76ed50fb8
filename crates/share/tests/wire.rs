//! Terms, jobs and shares as bytes: reading reverses writing, and writing reverses reading.
#![allow(clippy::unwrap_used, missing_docs)]

use alloy_primitives::{Address, B256};
use hashlease_primitives::{
    Algorithm, Domain, EthashJob, HashRate, HeaderJob, Job, JobKind, LeaseId, SettlementWeight, SignedJob,
    Terms, UnixSeconds,
};
use hashlease_share::{
    EthashShare, HeaderShare, Share,
    wire::{self, Fields, put_job, put_share, put_terms},
};
use proptest::{collection::vec, prelude::*, strategy::ValueTree as _};

fn terms() -> impl Strategy<Value = Terms> {
    let numbers = any::<([u64; 4], [[u8; 20]; 4], u128, [u32; 2])>();
    (numbers, 1u8..=4, 0u8..96).prop_map(|((longs, addresses, rate, ints), algorithm, weight)| {
        let [contract, oracle, provider, job_signer] = addresses.map(Address::from);
        Terms {
            id: LeaseId(longs[0]),
            domain: Domain { chain_id: longs[1], contract },
            oracle,
            provider,
            job_signer,
            algorithm: Algorithm::try_from(algorithm).unwrap(),
            weight: SettlementWeight::from_log2(weight).unwrap(),
            rate: HashRate::capped(rate & HashRate::MAX.per_second()),
            start: UnixSeconds::new(longs[2]),
            end: UnixSeconds::new(longs[3]),
            duration: ints[0],
            epoch_length: ints[1],
        }
    })
}

fn job() -> impl Strategy<Value = SignedJob> {
    let bytes = || vec(any::<u8>(), 0..1_100);
    let header =
        (any::<([u8; 32], [u64; 4], [u32; 3], u8)>(), bytes(), bytes(), vec(any::<[u8; 32]>(), 0..20));
    let header = header.prop_map(|((prev_hash, longs, ints, tail_length), prefix, suffix, branch)| {
        Job::Header(HeaderJob {
            lease: LeaseId(longs[0]),
            sequence: longs[1],
            prev_hash: prev_hash.into(),
            n_bits: ints[0],
            version: ints[1],
            version_mask: ints[2],
            not_before: UnixSeconds::new(longs[2]),
            not_after: UnixSeconds::new(longs[3]),
            coinbase_prefix: prefix.into(),
            tail_length,
            coinbase_suffix: suffix.into(),
            branch: branch.into_iter().map(B256::from).collect(),
        })
    });
    let ethash =
        (any::<([u8; 32], [u64; 5])>(), vec(any::<u8>(), 0..10)).prop_map(|((seal, longs), prefix)| {
            Job::Ethash(EthashJob {
                lease: LeaseId(longs[0]),
                sequence: longs[1],
                seal_hash: seal.into(),
                block_number: longs[2],
                nonce_prefix: prefix.into(),
                not_before: UnixSeconds::new(longs[3]),
                not_after: UnixSeconds::new(longs[4]),
            })
        });
    (prop_oneof![header, ethash], any::<[u8; 32]>(), any::<[u8; 32]>(), any::<u8>()).prop_map(
        |(job, r, s, v)| {
            let mut signature = [v; 65];
            signature[..32].copy_from_slice(&r);
            signature[32..64].copy_from_slice(&s);
            SignedJob { job, signature }
        },
    )
}

fn share() -> impl Strategy<Value = Share> {
    let header = (vec(any::<u8>(), 0..=32), any::<[u32; 3]>()).prop_map(|(tail, [ntime, nonce, version])| {
        Share::Header(HeaderShare { tail: tail.as_slice().try_into().unwrap(), ntime, nonce, version })
    });
    prop_oneof![header, any::<u64>().prop_map(|nonce| Share::Ethash(EthashShare { nonce }))]
}

/// Checks that everything readable in `bytes` is written back unchanged.
fn reads_as_it_is_written(bytes: &[u8]) -> Result<(), TestCaseError> {
    let mut fields = Fields::new(bytes);
    if let Ok(terms) = wire::terms(&mut fields) {
        let mut out = Vec::new();
        put_terms(&mut out, &terms);
        prop_assert_eq!(out, &bytes[..fields.offset()]);
    }
    for kind in [JobKind::Header, JobKind::Ethash] {
        let mut fields = Fields::new(bytes);
        if let Ok(signed) = wire::job(&mut fields, kind, LeaseId(9)) {
            let mut out = Vec::new();
            put_job(&mut out, &signed).unwrap();
            prop_assert_eq!(out, &bytes[..fields.offset()]);
        }
        let mut fields = Fields::new(bytes);
        if let Ok(share) = wire::share(&mut fields, kind) {
            let mut out = Vec::new();
            put_share(&mut out, &share);
            prop_assert_eq!(out, &bytes[..fields.offset()]);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn terms_survive_a_round_trip(terms in terms(), cut: prop::sample::Index, flip: prop::sample::Index, bits in 1u8..) {
        let mut out = Vec::new();
        put_terms(&mut out, &terms);
        let mut fields = Fields::new(&out);
        prop_assert_eq!(wire::terms(&mut fields), Ok(terms));
        prop_assert_eq!(fields.end(), Ok(()));
        prop_assert!(wire::terms(&mut Fields::new(&out[..cut.index(out.len())])).unwrap_err().short);
        let at = flip.index(out.len());
        out[at] ^= bits;
        reads_as_it_is_written(&out)?;
    }

    #[test]
    fn jobs_survive_a_round_trip(
        signed in job(), cut: prop::sample::Index, flip: prop::sample::Index, bits in 1u8.., rest: [u8; 4]
    ) {
        let (kind, lease) = (signed.job.kind(), signed.job.lease());
        let mut out = Vec::new();
        put_job(&mut out, &signed).unwrap();
        let cut = cut.index(out.len());
        prop_assert!(wire::job(&mut Fields::new(&out[..cut]), kind, lease).unwrap_err().short);
        out.extend(rest);
        let mut fields = Fields::new(&out);
        prop_assert_eq!(wire::job(&mut fields, kind, lease), Ok(signed));
        prop_assert_eq!(fields.left(), rest.len());
        let at = flip.index(out.len());
        out[at] ^= bits;
        reads_as_it_is_written(&out)?;
    }

    #[test]
    fn shares_survive_a_round_trip(share in share(), cut: prop::sample::Index, flip: prop::sample::Index, bits in 1u8..) {
        let mut out = Vec::new();
        put_share(&mut out, &share);
        let mut fields = Fields::new(&out);
        prop_assert_eq!(wire::share(&mut fields, share.kind()).unwrap(), share.clone());
        prop_assert_eq!(fields.end(), Ok(()));
        let cut = cut.index(out.len());
        prop_assert!(wire::share(&mut Fields::new(&out[..cut]), share.kind()).unwrap_err().short);
        let at = flip.index(out.len());
        out[at] ^= bits;
        reads_as_it_is_written(&out)?;
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..400)) {
        reads_as_it_is_written(&bytes)?;
    }
}

/// An error about a field names the place of that field.
#[test]
fn errors_name_the_place_of_the_field() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let terms = terms().new_tree(&mut runner).unwrap().current();
    let mut out = Vec::new();
    put_terms(&mut out, &terms);
    let refused = |at: usize, byte: u8| {
        let mut out = out.clone();
        out[at] = byte;
        wire::terms(&mut Fields::new(&out)).unwrap_err().to_string()
    };
    assert_eq!(refused(96, 9), "byte 96: algorithm: expected 1 to 4, got 9");
    assert_eq!(refused(97, 96), "byte 97: weight: expected below 96, got 96");
    // the first byte above 96 bits
    let got = terms.rate.per_second() + (1 << 96);
    assert_eq!(refused(110, 1), format!("byte 98: rate: expected below 2^96, got {got}"));
    let error = wire::terms(&mut Fields::new(&out[..100])).unwrap_err();
    assert_eq!(error.to_string(), "byte 98: rate: expected 16 bytes, got 2 left");
    let error = wire::share(&mut Fields::new(&[33; 50]), JobKind::Header).unwrap_err();
    assert_eq!(error.to_string(), "byte 1: share's tail: expected at most 32 bytes, got 33");
}
