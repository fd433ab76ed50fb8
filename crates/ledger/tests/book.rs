//! A book on a journal: what opening and reading it refuse.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use alloy_primitives::B256;
use hashlease_fixtures::{header_job, sign, terms, until_some};
use hashlease_journal::{Journal, JournalError, Options, Record, read};
use hashlease_ledger::{Book, BookError, LedgerError, PoolVerdict, PoolVerdicts};
use hashlease_primitives::{LeaseId, SystemClock, UnixMillis};
use std::{convert::Infallible, fs, path::Path};

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

#[tokio::test]
async fn a_journal_that_contradicts_itself_is_refused_with_the_record_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(Options::new(dir.path()), |_, _| Ok::<(), Infallible>(())).unwrap();
    for record in [Record::Lease(terms(1_000, 100, 100)), verdict(1), verdict(7), verdict(8)] {
        journal.append(record).await.unwrap();
    }
    drop(journal);
    let segment = dir.path().join(format!("{:020}.hlj", 0));
    let torn = [fs::read(&segment).unwrap(), vec![0; 9]].concat();
    fs::write(&segment, &torn).unwrap();
    let error = open(dir.path()).await.unwrap_err();
    assert_eq!(error.to_string(), "journal does not add up: record 2: record of lease 7 before its terms");
    let BookError::Replay { number: 2, source: LedgerError::UnknownLease(LeaseId(7)) } = error else {
        panic!("{error:?}")
    };
    assert_eq!(fs::read(&segment).unwrap(), torn, "nothing is cut off");
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
