//! A book on a journal: what opening and reading it refuse.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use alloy_primitives::{Address, B256};
use hashlease_fixtures::{header_job, mine, sign, terms, until_some};
use hashlease_journal::{Journal, JournalError, Options, Record, read};
use hashlease_ledger::{Book, BookError, CountRefusal, LedgerError, PoolVerdict, PoolVerdicts};
use hashlease_primitives::{Commitment, Domain, EpochId, LeaseId, SystemClock, Terms, UnixMillis, Work};
use hashlease_share::VerifiedJob;
use std::{convert::Infallible, path::Path};

/// Opens the book once the last user of the journal has released its lock.
async fn open(dir: &Path) -> Result<Book, BookError> {
    let opened = async || match Book::open(dir, SystemClock::shared()) {
        Err(BookError::Journal(JournalError::Locked(_))) => None,
        opened => Some(opened),
    };
    until_some("a free journal", opened).await
}

fn verdict(lease: u64) -> Record {
    Record::Verdict {
        at: UnixMillis::new(0),
        lease: LeaseId(lease),
        key: B256::ZERO,
        accepted: true,
        code: String::new(),
    }
}

fn closed(epoch: u32, count: u64) -> Record {
    let commitment = Commitment { root: B256::repeat_byte(7), count };
    Record::EpochClosed { at: UnixMillis::new(0), lease: LeaseId(1), epoch, commitment }
}

#[tokio::test]
async fn a_journal_that_contradicts_itself_opens_without_what_contradicts() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(Options::new(dir.path()), |_, _| Ok::<(), Infallible>(())).unwrap();
    let terms = terms(1_000, 200, 100);
    let other = Terms { provider: Address::repeat_byte(9), ..terms.clone() };
    let job = VerifiedJob::verify(&terms, sign(&terms, header_job(&terms, 1, 1_000..=1_199))).unwrap();
    let share = mine(&job, 1_010).next().unwrap();
    let share = Record::share(UnixMillis::new(0), &share, "w");
    let signed = Record::Job { at: UnixMillis::new(0), signed: job.signed().clone() };
    let lease = Record::Lease(terms.clone());
    let empty = Record::EpochClosed {
        at: UnixMillis::new(0),
        lease: terms.id,
        epoch: 0,
        commitment: Commitment::default(),
    };
    let written = [
        lease,
        verdict(7),
        Record::Lease(other),
        signed,
        empty,
        share,
        closed(0, 2),
        closed(1, 3),
        verdict(1),
    ];
    for record in written {
        journal.append(record).await.unwrap();
    }
    drop(journal);
    let book = open(dir.path()).await.unwrap();
    assert!(book.read(LeaseId(7), |_| ()).is_none());
    assert_eq!(book.read(terms.id, |held| held.terms().clone()), Some(terms.clone()));
    assert_eq!(book.counted(terms.id), Work::ZERO, "a share after its epoch's end is none");
    assert_eq!(
        book.closed(EpochId::new(terms.id, 0)).unwrap(),
        Commitment::default(),
        "the first root stays"
    );
    let kept = book.closed(EpochId::new(terms.id, 1)).unwrap();
    assert_eq!(kept.count, 3, "the committee may have this root");
    assert_eq!(book.close(EpochId::new(terms.id, 1)).await.unwrap(), kept);
    assert_eq!(book.read(terms.id, |held| held.verdicts().accepted), Some(1), "what follows counts");
}

#[tokio::test]
async fn an_epoch_closed_without_a_share_stays_closed() {
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1_000, 200, 100);
    let job = VerifiedJob::verify(&terms, sign(&terms, header_job(&terms, 1, 1_000..=1_199))).unwrap();
    let [early, later] = [1_010, 1_110].map(|ntime| mine(&job, ntime).next().unwrap());
    let book = open(dir.path()).await.unwrap();
    book.lease(&terms).await.unwrap();
    book.job(job.signed()).await.unwrap();
    book.close(EpochId::new(terms.id, 0)).await.unwrap();
    for _ in 0..2 {
        let refused = book.reserve(&early).unwrap_err();
        assert!(matches!(refused, CountRefusal::EpochClosed(0)), "{refused}");
    }
    drop(book);
    let book = open(dir.path()).await.unwrap();
    let refused = book.reserve(&early).unwrap_err();
    assert!(matches!(refused, CountRefusal::EpochClosed(0)), "{refused}");
    book.reserve(&later).unwrap().count(&later, "w").await.unwrap();
}

#[tokio::test]
async fn nothing_is_written_that_contradicts_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1_000, 200, 100);
    let job = VerifiedJob::verify(&terms, sign(&terms, header_job(&terms, 1, 1_000..=1_199))).unwrap();
    let share = mine(&job, 1_010).next().unwrap();
    let book = open(dir.path()).await.unwrap();
    let unknown = book.reserve(&share).unwrap().count(&share, "w").await.unwrap_err();
    assert!(unknown.to_string().contains("before its terms"), "{unknown}");
    book.lease(&terms).await.unwrap();
    let jobless = book.reserve(&share).unwrap().count(&share, "w").await.unwrap_err();
    assert!(jobless.to_string().contains("before the job"), "{jobless}");
    let shortened = Terms { end: terms.end - 50, ..terms.clone() };
    book.lease(&shortened).await.unwrap();
    let domain = Domain { chain_id: 9, contract: Address::repeat_byte(9) };
    for other in [Terms { domain, ..terms.clone() }, Terms { start: terms.start + 1, ..terms.clone() }] {
        let error = book.lease(&other).await.unwrap_err();
        assert!(matches!(error, BookError::Ledger(LedgerError::OtherTerms(LeaseId(1)))), "{error}");
    }
    let written: Vec<_> = read(dir.path()).map(Result::unwrap).collect();
    assert_eq!(written, [Record::Lease(terms), Record::Lease(shortened)]);
}

#[tokio::test]
async fn jobs_of_an_epoch_are_found_or_the_missing_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let book = open(dir.path()).await.unwrap();
    let terms = terms(1_000, 100, 100);
    book.lease(&terms).await.unwrap();
    let jobs = [2, 5].map(|sequence| sign(&terms, header_job(&terms, sequence, 1_000..=1_099)));
    for job in jobs.iter().rev() {
        book.job(job).await.unwrap();
    }
    assert_eq!(book.jobs(terms.id, &[5, 2].into()).unwrap(), jobs);
    let missing = book.jobs(terms.id, &[2, 3, 5].into()).unwrap_err();
    assert_eq!(missing.to_string(), "job 3 of lease 1 is not in the journal");
    assert!(matches!(missing, BookError::UnknownJob { lease: LeaseId(1), sequence: 3 }), "{missing:?}");
    let stranger = book.jobs(LeaseId(9), &[2].into()).unwrap_err();
    assert!(matches!(stranger, BookError::UnknownLease(LeaseId(9))), "{stranger:?}");
}

#[tokio::test]
async fn a_pools_verdict_is_written_as_a_flag_and_the_pools_words() {
    let dir = tempfile::tempdir().unwrap();
    let book = open(dir.path()).await.unwrap();
    let terms = terms(1_000, 100, 100);
    book.lease(&terms).await.unwrap();
    let rejected = PoolVerdict::Rejected { code: 23, message: "low difficulty share".into() };
    for verdict in [PoolVerdict::Accepted, rejected, PoolVerdict::Lost] {
        book.verdict(terms.id, B256::ZERO, &verdict).await.unwrap();
    }
    let written = read(dir.path()).filter_map(|record| match record.unwrap() {
        Record::Verdict { accepted, code, .. } => Some((accepted, code)),
        _ => None,
    });
    let expected = [(true, ""), (false, "23 low difficulty share"), (false, "lost")];
    assert!(written.eq(expected.map(|(accepted, code)| (accepted, code.to_owned()))));
    let counts = book.read(terms.id, |lease| lease.verdicts());
    assert_eq!(counts, Some(PoolVerdicts { accepted: 1, refused: 2 }));
}
