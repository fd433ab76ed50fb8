//! Whose work it is.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, missing_docs)]

use alloy_primitives::Address;
use hashlease_fixtures::{header_job, header_share, terms, verified, weight};
use hashlease_primitives::{HeaderJob, LeaseId, Terms, UnixSeconds};
use hashlease_share::{Hold, OpenedShare, Ownership, TakenJob, VerifiedJob};
use std::sync::Arc;

const START: u64 = 1_000_000;

/// Leases of different providers, unless they are the same by `provider`.
fn lease(id: u64, provider: u8, log2: u8) -> Terms {
    Terms {
        id: LeaseId(id),
        provider: Address::repeat_byte(provider),
        weight: weight(log2),
        ..terms(START, 7_200, 3_600)
    }
}

fn job(terms: &Terms, sequence: u64, change: impl FnOnce(&mut HeaderJob)) -> Arc<VerifiedJob> {
    let mut job = header_job(terms, sequence, START..=START + 90);
    change(&mut job);
    Arc::new(verified(terms, job))
}

/// A share of the job whose hash meets the target of weight `2^log2`, and not that of `2^above`.
fn share(job: &VerifiedJob, log2: u8, above: u8) -> OpenedShare {
    let header = job.job().header().unwrap();
    (0..)
        .map(|nonce| job.open(&header_share(header, nonce).into(), job.terms().end).unwrap())
        .find(|opened| opened.meets(weight(log2).target()) && !opened.meets(weight(above).target()))
        .unwrap()
}

#[test]
fn a_share_takes_the_jobs_of_others_that_it_satisfies() {
    let (mine, theirs) = (lease(1, 1, 2), lease(2, 2, 4));
    let (first, copy) = (job(&mine, 7, |_| ()), job(&theirs, 9, |_| ()));
    let wide = job(&theirs, 10, |job| {
        job.coinbase_prefix = job.coinbase_prefix.slice(..46);
        job.tail_length = 8;
    });
    let elsewhere = job(&theirs, 11, |job| job.prev_hash = [8; 32].into());
    let mut ownership = Ownership::default();
    for job in [&first, &copy, &wide, &elsewhere] {
        ownership.add(Arc::clone(job));
    }
    // below the other lease's target it decides nothing
    assert_eq!(ownership.show(&first, &share(&first, 2, 4)), []);
    assert_eq!(ownership.taker(copy.job()), None);
    let shown = share(&first, 4, 40);
    let taken = |sequence| TakenJob { lease: LeaseId(2), sequence, by: LeaseId(1) };
    assert_eq!(ownership.show(&first, &shown), [taken(9), taken(10)]);
    assert_eq!(ownership.show(&first, &shown), [], "told once");
    assert_eq!(ownership.taker(copy.job()), Some(LeaseId(1)));
    assert_eq!(ownership.taker(elsewhere.job()), None);
    // who comes second takes nothing back
    assert_eq!(ownership.show(&copy, &share(&copy, 4, 40)), []);
    assert_eq!(ownership.taker(first.job()), None);
    ownership.drop_lease(LeaseId(2));
    assert_eq!(ownership.taker(copy.job()), None);
}

#[test]
fn whoever_shows_a_share_first_owns_the_work() {
    let (mine, theirs) = (lease(1, 1, 1), lease(2, 2, 1));
    let (first, copy) = (job(&mine, 7, |_| ()), job(&theirs, 9, |_| ()));
    let mut ownership = Ownership::default();
    ownership.add(Arc::clone(&first));
    ownership.add(Arc::clone(&copy));
    // the later signer shows a share before the earlier one
    let taken = ownership.show(&copy, &share(&copy, 1, 40));
    assert_eq!(taken, [TakenJob { lease: LeaseId(1), sequence: 7, by: LeaseId(2) }]);
}

/// A signer that copies a job after its lease has shown a share of it, and mines a share of its own
/// within it, takes nothing.
#[test]
fn a_job_of_which_its_lease_has_shown_a_share_stays_with_it() {
    let (mine, theirs) = (lease(1, 1, 1), lease(2, 2, 1));
    let first = job(&mine, 7, |_| ());
    // of the first lease's shares it can have only those that end like this
    let part = job(&theirs, 9, |job| {
        job.coinbase_prefix = [&job.coinbase_prefix[..], &[0xee]].concat().into();
        job.tail_length -= 1;
    });
    let mut ownership = Ownership::default();
    assert_eq!(ownership.add(Arc::clone(&first)), (Hold::Free, vec![]));
    assert_eq!(ownership.show(&first, &share(&first, 1, 40)), []);
    assert_eq!(ownership.add(Arc::clone(&part)), (Hold::Disputed, vec![(LeaseId(1), 7)]));
    assert_eq!(ownership.show(&part, &share(&part, 1, 40)), []);
    assert_eq!((ownership.taker(first.job()), ownership.taker(part.job())), (None, None));
}

#[test]
fn a_share_takes_jobs_that_are_signed_later_as_well() {
    let (mine, theirs) = (lease(1, 1, 1), lease(2, 2, 1));
    let (first, copy) = (job(&mine, 7, |_| ()), job(&theirs, 9, |_| ()));
    let later = job(&mine, 8, |job| job.not_before = UnixSeconds::new(START + 1));
    let mut ownership = Ownership::default();
    ownership.add(Arc::clone(&first));
    ownership.show(&first, &share(&first, 1, 40));
    assert_eq!(ownership.add(Arc::clone(&copy)).0, Hold::Lost(LeaseId(1)));
    assert_eq!(ownership.add(later).0, Hold::Disputed, "by the copy, which took nothing");
    assert_eq!(ownership.show(&copy, &share(&copy, 1, 40)), []);
}

#[test]
fn a_job_that_was_taken_away_stays_so_over_a_restart() {
    let (mine, theirs) = (lease(1, 1, 1), lease(2, 2, 1));
    let (first, copy) = (job(&mine, 7, |_| ()), job(&theirs, 9, |_| ()));
    let mut ownership = Ownership::default();
    ownership.restore(LeaseId(2), 9, Hold::Lost(LeaseId(1)));
    ownership.add(Arc::clone(&first));
    ownership.add(Arc::clone(&copy));
    assert_eq!(ownership.taker(copy.job()), Some(LeaseId(1)));
    assert_eq!(ownership.show(&copy, &share(&copy, 1, 40)), []);
}

#[test]
fn a_share_below_its_own_target_shows_nothing() {
    let (mine, theirs) = (lease(1, 1, 6), lease(2, 2, 1));
    let (first, copy) = (job(&mine, 7, |_| ()), job(&theirs, 9, |_| ()));
    let mut ownership = Ownership::default();
    ownership.add(Arc::clone(&copy));
    assert_eq!(ownership.show(&first, &share(&first, 1, 6)), []);
}

#[test]
fn leases_of_one_provider_and_one_signer_take_no_jobs_from_each_other() {
    let (mine, next) = (lease(1, 1, 1), lease(2, 1, 1));
    let (first, copy) = (job(&mine, 7, |_| ()), job(&next, 9, |_| ()));
    let mut ownership = Ownership::default();
    ownership.add(Arc::clone(&copy));
    assert_eq!(ownership.show(&first, &share(&first, 1, 40)), []);
}

#[test]
fn jobs_whose_windows_ended_are_forgotten() {
    let (mine, theirs) = (lease(1, 1, 1), lease(2, 2, 1));
    let (first, copy) = (job(&mine, 7, |_| ()), job(&theirs, 9, |_| ()));
    let mut ownership = Ownership::default();
    ownership.add(Arc::clone(&copy));
    ownership.drop_ended(UnixSeconds::new(START + 90));
    assert_eq!(ownership.show(&first, &share(&first, 1, 40)).len(), 1, "its last second is open");
    let mut ownership = Ownership::default();
    ownership.add(Arc::clone(&copy));
    ownership.drop_ended(UnixSeconds::new(START + 91));
    assert_eq!(ownership.show(&first, &share(&first, 1, 40)), []);
}
