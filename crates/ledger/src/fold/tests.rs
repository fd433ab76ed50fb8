//! Records that the fold accepts and refuses; a refusal changes nothing.

use super::*;
use hashlease_fixtures::{header_job, sign, weight};
use hashlease_primitives::{Commitment, HeaderJob, UnixMillis};
use hashlease_share::{VerifiedJob, VerifiedShare};
use proptest::prelude::*;

const EPOCH: u32 = 100;

fn terms(id: u64) -> Terms {
    Terms { id: LeaseId(id), weight: weight(2), ..hashlease_fixtures::terms(1_000, 500, EPOCH) }
}

/// Jobs of different leases differ only in the lease, which the header does not contain.
fn job(lease: u64, sequence: u64) -> SignedJob {
    let terms = terms(lease);
    let branch = vec![B256::with_last_byte(sequence as u8)];
    sign(&terms, HeaderJob { branch, ..header_job(&terms, sequence, 1_000..=1_499) })
}

/// The first `count` shares of a job at one header time.
fn mine(job: &SignedJob, ntime: u32, count: usize) -> Vec<VerifiedShare> {
    let verified = VerifiedJob::verify(&terms(job.job.lease().0), job.clone()).unwrap();
    hashlease_fixtures::mine(&verified, ntime).take(count).collect()
}

/// Terms and two jobs for each of the leases 1 and 2.
fn begun() -> Ledger {
    let mut ledger = Ledger::default();
    for lease in [1, 2] {
        ledger.apply(&Record::Lease(terms(lease))).unwrap();
        for sequence in [1, 2] {
            ledger.apply(&Record::Job { at: UnixMillis::new(0), signed: job(lease, sequence) }).unwrap();
        }
    }
    ledger
}

fn close(epoch: u32, commitment: Commitment) -> Record {
    Record::EpochClosed { at: UnixMillis::new(0), lease: LeaseId(1), epoch, commitment }
}

#[test]
fn one_header_counts_once_across_all_leases() {
    let (first, second) = (mine(&job(1, 1), 1_010, 3), mine(&job(2, 1), 1_010, 3));
    assert_eq!(first[0].key(), second[0].key());
    let mut ledger = begun();
    for share in &first {
        ledger.apply(&Record::share(UnixMillis::new(0), share, "w")).unwrap();
    }
    for again in [&first[1], &second[1]] {
        let error = ledger.apply(&Record::share(UnixMillis::new(0), again, "w")).unwrap_err();
        assert!(
            matches!(error, LedgerError::Duplicate { key, holder: LeaseId(1) } if key == first[1].key()),
            "{error}"
        );
    }
    assert_eq!(ledger.holder(&first[2].key()), Some(LeaseId(1)));
    assert_eq!(ledger.holder(&B256::ZERO), None);
    assert_eq!(ledger.lease(LeaseId(1)).unwrap().count(0), 3);
    assert_eq!(ledger.lease(LeaseId(2)).unwrap().count(0), 0);
}

#[test]
fn each_record_must_follow_those_it_refers_to() {
    let share = Record::share(UnixMillis::new(0), &mine(&job(1, 1), 1_010, 1)[0], "w");
    let mut ledger = Ledger::default();
    assert!(matches!(ledger.apply(&share), Err(LedgerError::UnknownLease(LeaseId(1)))));
    ledger.apply(&Record::Lease(terms(1))).unwrap();
    assert!(matches!(ledger.apply(&share), Err(LedgerError::UnknownJob { lease: LeaseId(1), job: 1 })));
    ledger.apply(&Record::Job { at: UnixMillis::new(0), signed: job(1, 1) }).unwrap();
    ledger.apply(&share).unwrap();
}

#[test]
fn a_closed_epoch_stays_as_it_was_closed() {
    let mut ledger = begun();
    let shares = mine(&job(1, 1), 1_010, 4);
    for share in &shares[..3] {
        ledger.apply(&Record::share(UnixMillis::new(0), share, "w")).unwrap();
    }
    let right = Trie::build(shares[..3].iter().map(VerifiedShare::key).collect()).unwrap().commitment();
    let wrong = Commitment { count: 4, ..right };
    let error = ledger.apply(&close(0, wrong)).unwrap_err();
    assert!(error.to_string().starts_with("lease 1, epoch 0: expected root Commitment {"), "{error}");
    let LedgerError::RootDiffers { id, expected, rebuilt } = error else { panic!("{error}") };
    assert_eq!((id, expected, rebuilt), (EpochId::new(LeaseId(1), 0), wrong, right));
    assert!(!ledger.lease(LeaseId(1)).unwrap().is_closed(0));

    ledger.apply(&close(0, right)).unwrap();
    let lease = ledger.lease(LeaseId(1)).unwrap();
    assert_eq!((lease.is_closed(0), lease.closed(0), lease.is_closed(1)), (true, Some(right), false));
    let late = ledger.apply(&Record::share(UnixMillis::new(0), &shares[3], "w")).unwrap_err();
    assert_eq!(late.to_string(), "lease 1: share in epoch 0 after it was closed");
    assert!(matches!(late, LedgerError::Closed(EpochId { lease: LeaseId(1), epoch: 0 })), "{late}");
    assert_eq!(ledger.holder(&shares[3].key()), None, "a refused share is not held");
    assert!(matches!(ledger.apply(&close(0, wrong)), Err(LedgerError::RootDiffers { .. })));
    assert_eq!(ledger.lease(LeaseId(1)).unwrap().commitment(0).unwrap(), right);
}

#[test]
fn an_epoch_without_shares_closes_with_the_empty_root_only() {
    let mut ledger = begun();
    let wrong = Commitment { root: B256::ZERO, count: 1 };
    assert!(matches!(ledger.apply(&close(2, wrong)), Err(LedgerError::RootDiffers { .. })));
    assert!(ledger.lease(LeaseId(1)).unwrap().epochs.is_empty(), "a refusal changes nothing");
    ledger.apply(&close(2, Commitment::default())).unwrap();
    assert!(ledger.lease(LeaseId(1)).unwrap().is_closed(2));
}

#[test]
fn the_first_job_of_a_sequence_counts() {
    let mut ledger = begun();
    let mut other = job(1, 1);
    other.job.header_mut().unwrap().n_bits = 1;
    ledger.apply(&Record::Job { at: UnixMillis::new(0), signed: other }).unwrap();
    assert_eq!(ledger.lease(LeaseId(1)).unwrap().jobs().get(&1), Some(&job(1, 1)));
}

#[test]
fn work_is_capped_epoch_by_epoch() {
    let mut ledger = begun();
    // an epoch pays for at most 125 hashes; 40 shares are worth 160, 5 are worth 20
    for share in mine(&job(1, 1), 1_010, 40).iter().chain(&mine(&job(1, 1), 1_110, 5)) {
        ledger.apply(&Record::share(UnixMillis::new(0), share, "w")).unwrap();
    }
    let lease = ledger.lease(LeaseId(1)).unwrap();
    assert_eq!((lease.epoch_work(0), lease.epoch_work(1)), (Work::new(160), Work::new(20)));
    assert_eq!(lease.work(), Work::new(145));
}

#[test]
fn verdicts_are_counted_beside_the_shares() {
    let mut ledger = begun();
    for accepted in [true, false, true] {
        let verdict = Record::Verdict {
            at: UnixMillis::new(0),
            lease: LeaseId(2),
            key: B256::ZERO,
            accepted,
            code: String::new(),
        };
        ledger.apply(&verdict).unwrap();
    }
    let lease = ledger.lease(LeaseId(2)).unwrap();
    assert_eq!(lease.verdicts(), PoolVerdicts { accepted: 2, refused: 1 });
    assert_eq!(lease.work(), Work::ZERO);
}

#[test]
fn the_chain_covers_epochs_without_shares() {
    let mut ledger = begun();
    for share in mine(&job(1, 1), 1_010, 2).iter().chain(&mine(&job(1, 2), 1_210, 3)) {
        ledger.apply(&Record::share(UnixMillis::new(0), share, "w")).unwrap();
    }
    let lease = ledger.lease(LeaseId(1)).unwrap();
    let [zero, two] = [0, 2].map(|epoch| lease.commitment(epoch).unwrap());
    let first = zero.chain(&B256::ZERO);
    assert_eq!(lease.evidence_chain(0), Ok(first));
    assert_eq!(lease.evidence_chain(2), Ok(two.chain(&Commitment::default().chain(&first))));
}

#[test]
fn evidence_holds_the_jobs_of_its_shares_and_no_others() {
    let mut ledger = begun();
    for share in mine(&job(1, 1), 1_010, 2).iter().chain(&mine(&job(1, 2), 1_110, 3)) {
        ledger.apply(&Record::share(UnixMillis::new(0), share, "w")).unwrap();
    }
    let evidence = ledger.lease(LeaseId(1)).unwrap().evidence(1).unwrap();
    assert_eq!(evidence.head.jobs, [job(1, 2)]);
    let shares = ledger.lease(LeaseId(1)).unwrap().shares(1);
    assert_eq!(shares.jobs(), [2].into());
    let mut written = Vec::new();
    shares.write(evidence.head.commitment, vec![job(1, 2)], &mut written).unwrap();
    assert_eq!(
        written,
        evidence.encode().unwrap(),
        "a file written piece by piece differs from one encoded at once"
    );
    assert_eq!(evidence.head.commitment.count, 3);
    let report = evidence.recheck();
    assert!(report.holds(), "{:?}", report.complaint());
}

#[test]
fn a_rebuilt_commitment_is_valid_until_the_next_share() {
    let mut ledger = begun();
    let shares = mine(&job(1, 1), 1_010, 5);
    for share in &shares[..4] {
        ledger.apply(&Record::share(UnixMillis::new(0), share, "w")).unwrap();
    }
    let taken = ledger.lease(LeaseId(1)).unwrap().shares(0);
    let rebuilt = taken.rebuild().unwrap();
    ledger.remember_rebuilt(rebuilt);
    assert_eq!(ledger.lease(LeaseId(1)).unwrap().commitment(0), Ok(rebuilt.commitment()));
    ledger.apply(&Record::share(UnixMillis::new(0), &shares[4], "w")).unwrap();
    let now = ledger.lease(LeaseId(1)).unwrap().commitment(0).unwrap();
    assert_eq!((now.count, rebuilt.commitment().count), (5, 4));
    // an earlier copy still has the shares of its time
    assert_eq!(taken.rebuild().unwrap().commitment(), rebuilt.commitment());
    let close =
        |commitment| Record::EpochClosed { at: UnixMillis::new(0), lease: LeaseId(1), epoch: 0, commitment };
    let error = ledger.apply(&close(rebuilt.commitment())).unwrap_err();
    assert!(matches!(error, LedgerError::RootDiffers { .. }), "{error}");
    ledger.apply(&close(now)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_order_of_shares_gives_the_same_roots(
        order in Just((0..60usize).collect::<Vec<_>>()).prop_shuffle()
    ) {
        let shares: Vec<VerifiedShare> = [(1, 1, 1_010), (1, 2, 1_110), (2, 2, 1_220)]
            .into_iter()
            .flat_map(|(lease, sequence, ntime)| mine(&job(lease, sequence), ntime, 20))
            .collect();
        let fold = |order: &mut dyn Iterator<Item = usize>| {
            let mut ledger = begun();
            for at in order {
                ledger.apply(&Record::share(UnixMillis::new(0), &shares[at], "w")).unwrap();
            }
            let chain = |id| ledger.lease(LeaseId(id)).unwrap().evidence_chain(4).unwrap();
            let file = |id, epoch| ledger.lease(LeaseId(id)).unwrap().evidence(epoch).unwrap();
            (chain(1), chain(2), file(1, 0), file(1, 1), file(2, 2))
        };
        prop_assert_eq!(fold(&mut order.iter().copied()), fold(&mut (0..60)));
    }
}
