//! Evidence of really mined shares: good files hold, and files tampered with in any way do not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::keccak256;
use hashlease_evidence::{Evidence, TermsDiffer};
use hashlease_fixtures::{header_job, sign, weight};
use hashlease_journal::Record;
use hashlease_ledger::{Ledger, LedgerError};
use hashlease_primitives::{Commitment, HashRate, LeaseId, SignedJob, Terms, UnixMillis};
use hashlease_share::{EvidenceReason, VerifiedJob, VerifiedShare};
use proptest::prelude::*;

fn terms() -> Terms {
    Terms { weight: weight(3), rate: HashRate::new(1_000), ..hashlease_fixtures::terms(1_000, 100, 50) }
}

fn job(terms: &Terms, sequence: u64) -> SignedJob {
    sign(terms, header_job(terms, sequence, 1_000..=1_099))
}

fn mine(terms: &Terms, signed: &SignedJob, count: usize, ntime: u32) -> Vec<VerifiedShare> {
    let verified = VerifiedJob::verify(terms, signed.clone()).unwrap();
    hashlease_fixtures::mine(&verified, ntime).take(count).collect()
}

fn ledger(shares: &[VerifiedShare], jobs: &[SignedJob]) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.apply(&Record::Lease(terms())).unwrap();
    for signed in jobs {
        ledger.apply(&Record::Job { at: UnixMillis::new(0), signed: signed.clone() }).unwrap();
    }
    for share in shares {
        ledger.apply(&Record::share(UnixMillis::new(0), share, "w")).unwrap();
    }
    ledger
}

fn evidence() -> Evidence {
    let terms = terms();
    let jobs = [job(&terms, 1), job(&terms, 2)];
    let mut shares = mine(&terms, &jobs[0], 20, 1_010);
    shares.extend(mine(&terms, &jobs[1], 20, 1_020));
    ledger(&shares, &jobs).lease(LeaseId(1)).unwrap().evidence(0).unwrap()
}

#[test]
fn honest_evidence_holds_after_a_round_trip() {
    let evidence = evidence();
    assert_eq!(evidence.head.commitment.count, 40);
    let read = Evidence::decode(&evidence.encode().unwrap()).unwrap();
    assert_eq!(read, evidence);
    let report = read.recheck();
    assert!(report.holds(), "{:?}", report.complaint());
    assert_eq!(report.work.hashes(), 40 * 8);
    assert_eq!(read.head.differs_from(&terms()), None);
    let other = Terms { rate: HashRate::new(1_001), ..terms() };
    let differ = read.head.differs_from(&other).unwrap();
    assert_eq!(differ, TermsDiffer::Rate { expected: HashRate::new(1_001), got: HashRate::new(1_000) });
}

#[test]
fn tampering_is_named() {
    let refused = |evidence: &Evidence| {
        let report = evidence.recheck();
        assert!(!report.holds());
        report.named.first().map(|share| share.refused.code())
    };
    let honest = evidence();

    let mut added = honest.clone();
    let mut guess = added.shares[0].clone();
    guess.share.header_mut().unwrap().nonce = 0xffff_fff0;
    added.shares.push(guess);
    assert_eq!(refused(&added), Some("above-target"));

    let mut twice = honest.clone();
    twice.shares.insert(1, twice.shares[0].clone());
    assert_eq!(refused(&twice), Some("duplicate"));

    let mut order = honest.clone();
    order.shares.swap(3, 4);
    assert_eq!(refused(&order), Some("out-of-order"));

    let mut claimed = honest.clone();
    claimed.head.commitment.count += 1;
    assert_eq!(refused(&claimed), None, "the shares are good, the claim is not");

    let mut dropped = honest.clone();
    dropped.shares.pop();
    assert_eq!(refused(&dropped), None);

    let mut forged = honest.clone();
    forged.head.jobs[0].job.header_mut().unwrap().coinbase_suffix = vec![3; 60].into();
    assert_eq!(refused(&forged), Some("job-signature"));
    assert_eq!(forged.recheck().jobs_named[0].refused, EvidenceReason::JobSignature);

    let mut other_epoch = honest;
    other_epoch.head.epoch = 1;
    assert_eq!(refused(&other_epoch), Some("other-epoch"));
}

/// The recheck passes on exactly the keys from which it rebuilt the root: members store these keys
/// and no others.
#[test]
fn only_shares_that_count_are_passed_on() {
    let honest = evidence();
    let no_cache = |_| panic!("no Ethash here");
    let (report, all) = honest.recheck_keys(&no_cache);
    assert!(report.holds() && all.is_sorted() && all.len() == 40);
    let mut spoiled = honest;
    spoiled.shares[3].share.header_mut().unwrap().version = 0;
    spoiled.shares[8].job = 77;
    spoiled.shares[11] = spoiled.shares[10].clone();
    spoiled.shares.swap(20, 21);
    let (report, keys) = spoiled.recheck_keys(&no_cache);
    let gone = [3, 8, 11, 20];
    let left = all.iter().enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, key)| *key);
    assert_eq!(keys, left.collect::<Vec<_>>());
    assert_eq!(report.rebuilt, hashlease_trie::Trie::build(keys).unwrap().commitment());
    let named: Vec<_> = report.named.iter().map(|share| (share.index, share.job, share.key)).collect();
    let second = |at: usize| spoiled.shares[at].job;
    assert_eq!(
        named,
        [
            (3, second(3), None),
            (8, 77, None),
            (11, second(11), Some(all[10])),
            (21, second(21), Some(all[20])),
        ]
    );
    assert_eq!(report.named[3].refused, EvidenceReason::OutOfOrder { after: all[21] });
    assert_eq!((report.shares, report.refused, report.work.hashes()), (40, 4, 36 * 8));
}

#[test]
fn a_changed_byte_is_seen_and_counts_are_bounded() {
    let bytes = evidence().encode().unwrap();
    for at in (0..bytes.len()).step_by(7) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        assert!(Evidence::decode(&changed).is_err(), "byte {at}");
    }
    for length in 0..bytes.len() {
        assert!(Evidence::decode(&bytes[..length]).is_err(), "cut to {length}");
    }
}

#[test]
fn the_ledger_refuses_what_does_not_fit() {
    let terms = terms();
    let job = job(&terms, 1);
    let shares = mine(&terms, &job, 3, 1_010);
    let mut book = ledger(&shares[..2], std::slice::from_ref(&job));
    assert!(matches!(
        book.apply(&Record::share(UnixMillis::new(0), &shares[0], "w")),
        Err(LedgerError::Duplicate { .. })
    ));
    let right = book.lease(LeaseId(1)).unwrap().commitment(0).unwrap();
    let close =
        |commitment| Record::EpochClosed { at: UnixMillis::new(0), lease: LeaseId(1), epoch: 0, commitment };
    let wrong = Commitment { count: 3, ..right };
    assert!(matches!(book.apply(&close(wrong)), Err(LedgerError::RootDiffers { .. })));
    book.apply(&close(right)).unwrap();
    assert!(matches!(
        book.apply(&Record::share(UnixMillis::new(0), &shares[2], "w")),
        Err(LedgerError::Closed(_))
    ));
    let mut empty = Ledger::default();
    assert!(matches!(
        empty.apply(&Record::share(UnixMillis::new(0), &shares[2], "w")),
        Err(LedgerError::UnknownLease(_))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn the_root_does_not_depend_on_the_order(seed: u64) {
        let terms = terms();
        let job = job(&terms, 1);
        let mut shares = mine(&terms, &job, 30, 1_010);
        let root = |shares: &[VerifiedShare]| {
            ledger(shares, std::slice::from_ref(&job)).lease(LeaseId(1)).unwrap().evidence(0).unwrap().encode().unwrap()
        };
        let first = root(&shares);
        shares.sort_by_key(|share| keccak256([share.key().as_slice(), &seed.to_le_bytes()].concat()));
        prop_assert_eq!(root(&shares), first);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Evidence::decode(&bytes);
    }
}
