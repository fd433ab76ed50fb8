//! Turns a pool's job into a signed job.

use crate::{
    job_sequence::{JobSequence, JobSequenceError},
    signer::JobSigner,
};
use alloy_primitives::Bytes;
use hashlease_primitives::{HeaderJob, HeaderTimeError, Job, SignedJob, Terms, UnixSeconds};
use hashlease_share::{EvidenceReason, MAX_JOB_WINDOW, MAX_TAIL, MIN_TAIL, VerifiedJob};
use hashlease_stratum::Notify;
use std::{path::Path, sync::Arc};

/// How far a pool's time may be ahead of our clock, seconds (as Bitcoin nodes accept).
const MAX_AHEAD: u64 = 7_200;

/// Why a pool's job can't be handed out.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The coinbase carries a witness: its hash is not the transaction id.
    #[error("pool sends a coinbase with a witness: Stratum expects it without one")]
    Witness,
    /// The pool's clock is far ahead.
    #[error("pool's ntime {ntime} is more than {MAX_AHEAD} s ahead of our clock {now}")]
    Ahead {
        /// The pool's time.
        ntime: UnixSeconds,
        /// Our time.
        now: UnixSeconds,
    },
    /// The window would end after the last time a header can have.
    #[error("job window: {0}")]
    HeaderTime(#[from] HeaderTimeError),
    /// Not inside the lease.
    #[error("the lease is not running at {0}")]
    NotRunning(UnixSeconds),
    /// The pool's numbers can't be used.
    #[error(
        "pool's extranonce2 of {0} bytes: expected {MIN_TAIL} to {MAX_TAIL}, so that miners can be told apart"
    )]
    Tail(usize),
    /// The job would not count.
    #[error("job would not count: {0}")]
    Refused(#[from] EvidenceReason),
    /// The key failed.
    #[error(transparent)]
    Key(#[from] hashlease_primitives::KeyError),
    /// Signing panicked or was stopped.
    #[error("signing: {0}")]
    Stopped(#[from] tokio::task::JoinError),
    /// The sequence could not be reserved.
    #[error("job sequence: {0}")]
    Sequence(#[from] JobSequenceError),
}

/// Signs the jobs of one lease.
#[derive(Debug)]
pub struct JobMaker {
    signer: Arc<dyn JobSigner>,
    sequence: JobSequence,
}

/// Extranonce and version bits of a pool session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extranonce {
    /// The pool's part.
    pub extranonce1: Vec<u8>,
    /// Length of ours, bytes.
    pub extranonce2_size: usize,
    /// Version bits that the pool lets miners roll.
    pub version_mask: u32,
}

impl JobMaker {
    /// For a lease whose sequences are stored in `file`.
    ///
    /// # Errors
    /// When the file can't be read or holds no number.
    pub fn open(signer: Arc<dyn JobSigner>, file: &Path) -> Result<Self, JobSequenceError> {
        Ok(Self { signer, sequence: JobSequence::open(file)? })
    }

    /// Makes and signs a job for the time `now`.
    ///
    /// # Errors
    /// [`JobError`]; nothing is handed out then.
    pub fn make(
        &mut self,
        terms: &Terms,
        notify: &Notify,
        session: &Extranonce,
        now: UnixSeconds,
    ) -> Result<VerifiedJob, JobError> {
        if let [_, _, _, _, 0, 1, ..] = notify.coinb1.as_slice() {
            return Err(JobError::Witness);
        }
        let ntime = UnixSeconds::from(notify.ntime);
        if ntime > now.plus(MAX_AHEAD) {
            return Err(JobError::Ahead { ntime, now });
        }
        let tail_length = match u8::try_from(session.extranonce2_size) {
            Ok(length) if (MIN_TAIL..=MAX_TAIL).contains(&session.extranonce2_size) => length,
            _ => return Err(JobError::Tail(session.extranonce2_size)),
        };
        let not_before = ntime.max(now).max(terms.start);
        // three intervals, so that one lost job leaves no gap
        let window = terms.job_interval().saturating_mul(3).clamp(10, MAX_JOB_WINDOW);
        let last = terms.end.minus(1);
        if not_before > last {
            return Err(JobError::NotRunning(not_before));
        }
        let not_after = not_before.plus(window).min(last);
        // checked before a sequence is reserved for the job
        u32::try_from(not_after)?;
        let prefix = [notify.coinb1.as_slice(), &session.extranonce1].concat();
        let job = HeaderJob {
            lease: terms.id,
            sequence: self.sequence.reserve()?,
            prev_hash: notify.prev_hash,
            n_bits: notify.n_bits,
            version: notify.version,
            version_mask: session.version_mask,
            not_before,
            not_after,
            coinbase_prefix: Bytes::from(prefix),
            tail_length,
            coinbase_suffix: Bytes::from(notify.coinb2.clone()),
            branch: notify.branch.clone(),
        };
        let job = Job::Header(job);
        let signature = self.signer.sign(&job.digest(&terms.domain))?;
        Ok(VerifiedJob::verify(terms, SignedJob { job, signature })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;
    use hashlease_fixtures::{job_signer, terms};
    use hashlease_stratum::BIP320_MASK;

    fn notify() -> Notify {
        Notify {
            job_id: "a".into(),
            prev_hash: B256::repeat_byte(1),
            coinb1: vec![2, 0, 0, 0, 1, 9],
            coinb2: vec![3; 30],
            branch: vec![],
            version: 0x2000_0000,
            n_bits: 0x1d00_ffff,
            ntime: 1_005,
            clean_jobs: true,
        }
    }

    #[test]
    fn windows_lie_inside_the_lease_and_never_before_the_pools_time() {
        let dir = tempfile::tempdir().unwrap();
        let mut maker = JobMaker::open(Arc::new(job_signer().clone()), &dir.path().join("s")).unwrap();
        let session = Extranonce { extranonce1: vec![7; 4], extranonce2_size: 8, version_mask: BIP320_MASK };
        let terms = terms(1_000, 60, 20);
        let early = maker.make(&terms, &notify(), &session, UnixSeconds::new(990)).unwrap();
        assert_eq!(
            (early.job().not_before(), early.job().not_after()),
            (UnixSeconds::new(1_005), UnixSeconds::new(1_015))
        );
        assert!(early.job().header().unwrap().coinbase_prefix.ends_with(&[7; 4]));
        let late = maker.make(&terms, &notify(), &session, UnixSeconds::new(1_055)).unwrap();
        assert_eq!(
            (late.job().not_before(), late.job().not_after()),
            (UnixSeconds::new(1_055), UnixSeconds::new(1_059))
        );
        assert!(late.job().sequence() > early.job().sequence());
        assert!(matches!(
            maker.make(&terms, &notify(), &session, UnixSeconds::new(1_060)),
            Err(JobError::NotRunning(_))
        ));
        let short = Extranonce { extranonce2_size: 1, ..session.clone() };
        assert!(matches!(
            maker.make(&terms, &notify(), &short, UnixSeconds::new(1_010)),
            Err(JobError::Tail(1))
        ));
        let witness = Notify { coinb1: vec![2, 0, 0, 0, 0, 1, 1], ..notify() };
        assert!(matches!(
            maker.make(&terms, &witness, &session, UnixSeconds::new(1_010)),
            Err(JobError::Witness)
        ));
        let ahead = Notify { ntime: 9_000, ..notify() };
        assert!(matches!(
            maker.make(&terms, &ahead, &session, UnixSeconds::new(1_010)),
            Err(JobError::Ahead { .. })
        ));
        let beyond =
            Terms { start: UnixSeconds::new(1 << 32), end: UnixSeconds::new((1 << 32) + 60), ..terms };
        let made = maker.make(&beyond, &notify(), &session, UnixSeconds::new(1_010));
        assert!(matches!(made, Err(JobError::HeaderTime(_))), "{made:?}");
    }
}
