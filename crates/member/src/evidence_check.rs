//! Checks the evidence of one epoch root until there is a verdict.
//!
//! The file is first written to disk and then read in one pass on its own thread. Memory therefore
//! does not grow with the file, and a slow server delays no other check. There is no verdict until
//! the checksum at the file's end has matched.

use crate::{
    complaint::{Complaint, EpochClaim},
    fetch::{FetchError, Scratch, fetch},
    figures::{in_time, is_over},
    state::{LeaseView, State},
    store::{Outcome, StoreError, StoredComplaint, StoredRoot},
    turns::{Claim, Turn},
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use hashlease_check::{Caches, EthashEpoch, LightCache};
use hashlease_committee::MemberClient;
use hashlease_evidence::{Evidence, EvidenceError, EvidenceReader, Recheck};
use hashlease_primitives::{Commitment, EpochId, Terms};
use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write as _},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, task::JoinError, time::sleep};
use tracing::{info, warn};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause between fetch attempts. An unreachable server gets 64 attempts; at this pause they
/// span more than a day, half the usual credit window.
const MAX_PAUSE: Duration = Duration::from_secs(1_800);
/// Longest pause before other members are asked again whether a root was in time.
const MAX_PAUSE_LATE: Duration = Duration::from_secs(600);
/// Download budget of a root, as a multiple of its longest possible file; a running attempt may
/// finish.
const FILES_PER_ROOT: u64 = 4;
/// Every failed attempt is charged at least 1/16 of the longest file, because it held a fetch turn.
const MIN_CHARGE_DIVISOR: u64 = 16;
/// Shares read at a time when a file's shares are not checked.
const PIECE: usize = 4_096;

/// Why a check did not verify the evidence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error("root came late, and too few members had it in time")]
    Late,
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    File(EvidenceError),
    #[error("evidence can't be kept: {0}")]
    Disk(io::Error),
    #[error(transparent)]
    Store(StoreError),
    #[error("check ended early: {0}")]
    Check(#[from] JoinError),
    #[error(transparent)]
    MemberEnds(#[from] MemberEnds),
    /// The evidence breaks a rule: final, while every other error is retried.
    #[error(transparent)]
    Refused(#[from] Complaint),
}

impl CheckError {
    const fn code(&self) -> &'static str {
        match self {
            Self::Late => "root-late",
            Self::Fetch(error) => error.code(),
            Self::File(_) => "evidence-unreadable",
            Self::Disk(_) => "disk",
            Self::Store(_) => "store",
            Self::Check(_) => "internal",
            Self::MemberEnds(_) => "member-ends",
            Self::Refused(complaint) => complaint.code(),
        }
    }

    /// Whether the provider is at fault, not this machine.
    const fn is_providers(&self) -> bool {
        match self {
            Self::Fetch(error) => error.is_providers(),
            Self::File(EvidenceError::Format { .. }) | Self::Refused(_) => true,
            Self::File(EvidenceError::Io { .. }) => false,
            Self::Late | Self::Disk(_) | Self::Store(_) | Self::Check(_) | Self::MemberEnds(_) => false,
        }
    }
}

impl From<EvidenceError> for CheckError {
    fn from(error: EvidenceError) -> Self {
        match &error {
            EvidenceError::Io { source, .. } if MemberEnds::is_in(source) => MemberEnds.into(),
            _ => Self::File(error),
        }
    }
}

impl From<StoreError> for CheckError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::KeyTaken { key, lease } => Complaint::KeyTaken { key, lease }.into(),
            StoreError::Ended => MemberEnds.into(),
            other => Self::Store(other),
        }
    }
}

/// Starts the check of a root's evidence. It ends with a verdict or with the member.
pub(crate) fn start(member: &Arc<State>, id: EpochId) {
    let member = Arc::clone(member);
    tokio::spawn(async move {
        tokio::select! {
            () = run(Arc::clone(&member), id) => {}
            () = member.ended() => {}
        }
    });
}

/// Fetches and checks until there is a verdict, or until the lease is over.
async fn run(member: Arc<State>, id: EpochId) {
    let EpochId { lease, epoch } = id;
    // after a restart, resume with the pause of the last attempt
    let failed = member.stored(id).map_or(0, |stored| stored.failed); // no root, no attempts
    let mut pause = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(failed.min(16))).min(MAX_PAUSE);
    loop {
        let mut longest = MAX_PAUSE;
        // after a restart, the leases are known once the chain has been read
        if let Ok(view) = member.view(lease)
            && let Some(mut stored) = member.stored(id)
        {
            if is_over(&view.lease, member.clock.now()) {
                return;
            }
            let error = match attempt(&member, &view, epoch, &mut stored).await {
                Ok(()) => {
                    info!(%lease, epoch, "evidence verified");
                    update_root(&member, id, stored);
                    return;
                }
                Err(error) => error,
            };
            let verdict = match &error {
                CheckError::Refused(complaint) => {
                    warn!(%lease, epoch, code = complaint.code(), reason = %complaint, "evidence refused: the epoch counts as empty");
                    Some(Outcome::Refused(complaint.into()))
                }
                passing if stored.fetched >= budget(&member, &view, &stored) => {
                    warn!(%lease, epoch, code = passing.code(), reason = %passing, bytes = stored.fetched, "download budget of the evidence is used up: the epoch counts as empty");
                    Some(Outcome::Unfetched(StoredComplaint::new(passing.code(), passing)))
                }
                passing => {
                    warn!(%lease, epoch, code = passing.code(), reason = %passing, retry_in = ?pause, "evidence check failed");
                    None
                }
            };
            stored.outcome = verdict.unwrap_or(Outcome::Pending);
            let judged = stored.outcome != Outcome::Pending;
            if (judged || error.is_providers())
                && let Err(error) = member.store.put_root(id, &stored)
            {
                warn!(%lease, epoch, %error, "storing the state of the evidence failed");
            }
            update_root(&member, id, stored);
            if judged {
                return;
            }
            if matches!(error, CheckError::Late) {
                longest = MAX_PAUSE_LATE;
            }
        }
        sleep(pause.min(longest)).await;
        pause = pause.saturating_mul(2).min(longest);
    }
}

/// Longest file allowed by the root's count and the settings, bytes.
fn longest(member: &State, view: &LeaseView, stored: &StoredRoot) -> u64 {
    let kind = view.lease.terms.algorithm.job_kind();
    Evidence::longest(kind, stored.root.root.commitment.count).min(member.config.max_evidence)
}

/// Charged bytes at which a root is given up.
fn budget(member: &State, view: &LeaseView, stored: &StoredRoot) -> u64 {
    longest(member, view, stored).saturating_mul(FILES_PER_ROOT)
}

/// Bytes to charge for a failed attempt that received `fetched` bytes.
fn charge(error: &CheckError, fetched: u64, longest: u64) -> u64 {
    // a file that is too long is charged in full, even if only its announced length was read
    let part =
        if matches!(error, CheckError::Fetch(FetchError::TooLong { .. })) { 1 } else { MIN_CHARGE_DIVISOR };
    fetched.max(longest.div_ceil(part)).max(1)
}

/// Checks a root once. A late root is checked only after enough members confirm that they had it in
/// time. Until then its epoch counts as empty and its keys are not counted; afterwards it is
/// treated as in time.
async fn attempt(
    member: &Arc<State>,
    view: &LeaseView,
    epoch: u32,
    stored: &mut StoredRoot,
) -> Result<(), CheckError> {
    let terms = &view.lease.terms;
    if !stored.vouched && !in_time(terms, epoch, stored.received) {
        if !enough_had_in_time(member, view, epoch, stored).await {
            return Err(CheckError::Late);
        }
        stored.vouched = true;
        let id = EpochId::new(terms.id, epoch);
        member.store.put_root(id, stored)?;
        update_root(member, id, stored.clone());
    }
    check(member, view, epoch, stored).await
}

fn update_root(member: &State, id: EpochId, stored: StoredRoot) {
    member.figures().entry(id.lease).or_default().roots.insert(id.epoch, stored);
}

/// Whether enough members had this very root in time.
async fn enough_had_in_time(member: &State, view: &LeaseView, epoch: u32, stored: &StoredRoot) -> bool {
    let lease = view.lease.terms.id;
    let _asking = member.questions.acquire(claim(view, stored)).await;
    let mut answers: FuturesUnordered<_> = view
        .members
        .iter()
        .map(|url| async {
            MemberClient::new(url.clone(), member.http.clone()).root(EpochId::new(lease, epoch)).await
        })
        .collect();
    let mut in_time = 0usize;
    // stop once there are enough, without waiting for a member that hangs
    while in_time < view.threshold
        && let Some(answer) = answers.next().await
    {
        if let Ok(theirs) = answer
            && theirs.in_time
            && theirs.root.root.commitment == stored.root.root.commitment
        {
            in_time = in_time.saturating_add(1);
        }
    }
    let enough = in_time >= view.threshold;
    if enough {
        info!(%lease, epoch, in_time, member = %member.signer(), "root was late here, but in time at enough members");
    }
    enough
}

/// A light cache, built on this thread if no other can be spawned.
fn light_cache(caches: &Caches, epoch: EthashEpoch) -> Arc<LightCache> {
    caches.get(epoch).unwrap_or_else(|error| {
        warn!(epoch = epoch.index(), %error, "light cache is built on the checking thread");
        Arc::new(LightCache::build(epoch))
    })
}

/// Terms and claim that the evidence has to match.
struct Expected {
    terms: Terms,
    signed: EpochClaim,
}

/// A request for a turn, by the root's urgency.
fn claim(view: &LeaseView, stored: &StoredRoot) -> Claim {
    let terms = &view.lease.terms;
    // afterwards an epoch without a verdict counts as empty
    let deadline = terms.end.plus(u64::from(view.lease.window / 2));
    Claim { provider: terms.provider, failed: stored.failed, deadline }
}

/// Waits for a turn, checks, and charges the root if the attempt failed through the provider's
/// fault.
async fn check(
    member: &Arc<State>,
    view: &LeaseView,
    epoch: u32,
    stored: &mut StoredRoot,
) -> Result<(), CheckError> {
    let terms = &view.lease.terms;
    let claim = claim(view, stored);
    // held to the end, because it also limits the files on disk
    let mut fetching = member.fetches.acquire(claim).await;
    let mut fetched = 0;
    let checked = fetch_and_check(member, view, epoch, stored, claim, &mut fetching, &mut fetched).await;
    match &checked {
        Ok(()) => member.fetches.record(terms.provider, false),
        Err(error) if error.is_providers() => {
            let charged = charge(error, fetched, longest(member, view, stored));
            stored.fetched = stored.fetched.saturating_add(charged);
            stored.failed = stored.failed.saturating_add(1);
            member.fetches.record(terms.provider, true);
        }
        Err(_) => {}
    }
    checked
}

/// The whole check: terms, claim, every signature, every proof of work, root, and no key counted
/// elsewhere. `fetched` counts the received bytes.
async fn fetch_and_check(
    member: &Arc<State>,
    view: &LeaseView,
    epoch: u32,
    stored: &mut StoredRoot,
    claim: Claim,
    fetching: &mut Turn,
    fetched: &mut u64,
) -> Result<(), CheckError> {
    let root = &stored.root.root;
    let signed = EpochClaim { epoch, commitment: root.commitment };
    let expected = Expected { terms: view.lease.terms.clone(), signed };
    let scratch = Scratch::new(&member.scratch, &format!("{}-{epoch}", expected.terms.id));
    let most = longest(member, view, stored);
    let limits = &member.config.fetch;
    fetch(&member.files, &root.evidence, &scratch.evidence, most, limits, fetched).await?;
    let checking = member.checks.acquire(claim).await;
    // the provider's next file is fetched while this one is checked
    fetching.release_provider();
    let (caches, running) = (Arc::clone(&member.caches), member.running.clone());
    let judging = tokio::task::spawn_blocking(move || {
        let report = recheck(&scratch, &expected, &caches, &running);
        // the turn lasts as long as this thread works, even if its caller is gone
        drop(checking);
        (scratch, report)
    });
    let (scratch, judged) = judging.await?;
    stored.outcome = Outcome::Verified(judged?);
    let (member, verified) = (Arc::clone(member), stored.clone());
    let counting = tokio::task::spawn_blocking(move || {
        let keys = BufReader::with_capacity(1 << 20, File::open(&scratch.keys).map_err(CheckError::Disk)?);
        let going_on = || !ended(&member.running);
        let id = verified.root.root.id;
        Ok(member.store.count(id, keys, &verified, going_on)?)
    });
    counting.await?
}

/// Whether the member was dropped.
fn ended(running: &watch::Receiver<()>) -> bool {
    running.has_changed().is_err()
}

/// The member was dropped, so its checks stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the member is stopping")]
pub(crate) struct MemberEnds;

impl MemberEnds {
    /// Whether a read failed for this reason: [`Read`] has no other error than the system's.
    fn is_in(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|cause| cause.is::<Self>())
    }
}

/// A file whose reads fail with [`MemberEnds`] once the member has ended.
struct WhileRunning<'a> {
    file: File,
    running: &'a watch::Receiver<()>,
}

impl Read for WhileRunning<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if ended(self.running) {
            return Err(io::Error::other(MemberEnds));
        }
        self.file.read(into)
    }
}

/// Reads the whole file, and stores its keys if all of it is right.
fn recheck(
    scratch: &Scratch,
    expected: &Expected,
    caches: &Caches,
    running: &watch::Receiver<()>,
) -> Result<Commitment, CheckError> {
    let file = File::open(&scratch.evidence).map_err(CheckError::Disk)?;
    let mut reader = EvidenceReader::open(WhileRunning { file, running })?;
    let Expected { terms, signed } = expected;
    if let Some(complaint) = Complaint::about_head(reader.head(), reader.left(), terms, *signed) {
        // only a whole file is judged: a provider may serve a broken file once and the right one
        // later
        while reader.next(&mut Vec::new(), PIECE)? {}
        return Err(complaint.into());
    }
    let newest =
        reader.head().jobs.iter().filter_map(|signed| signed.job.ethash()).map(|job| job.block_number).max();
    // a cancellation may have moved the end earlier
    reader.set_end(terms.end);
    let mut keys = BufWriter::new(File::create(&scratch.keys).map_err(CheckError::Disk)?);
    let mut written = Ok(());
    let report = reader.recheck_until_refused(Recheck {
        caches: &|epoch| light_cache(caches, epoch),
        counted: &mut |share| {
            if written.is_ok() {
                written = keys.write_all(share.key().as_slice());
            }
        },
        progress: &mut |_| {},
        named: 1,
    })?;
    if let Some(complaint) = Complaint::about_content(&report) {
        return Err(complaint.into());
    }
    written.and_then(|()| keys.flush()).map_err(CheckError::Disk)?;
    // Counted work at this block means that more will follow, so the cache of the next DAG is built
    // in advance. Signed jobs alone are not enough: they cost nothing, and could demand any number
    // of caches.
    if let Some(block) = newest.filter(|_| report.rebuilt.count > 0)
        && let Err(error) = caches.prepare_for_block(terms.algorithm, block)
    {
        warn!(lease = %terms.id, block, %error, "preparing the light cache of the next DAG failed");
    }
    Ok(report.rebuilt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_fetched_nothing_is_charged_too() {
        let charge = |fetched, longest| charge(&CheckError::Fetch(FetchError::Status(500)), fetched, longest);
        assert_eq!([0, 9, 10, 11].map(|fetched| charge(fetched, 160)), [10, 10, 10, 11]);
        assert_eq!([0, 1, 161].map(|longest| charge(0, longest)), [1, 1, 11]);
    }

    #[test]
    fn a_file_is_no_longer_read_once_the_member_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("evidence");
        std::fs::write(&path, b"HLEVIDNC").unwrap();
        let (running, ends) = watch::channel(());
        let read = || {
            let file = WhileRunning { file: File::open(&path).unwrap(), running: &ends };
            CheckError::from(EvidenceReader::open(file).map(drop).unwrap_err())
        };
        let cut = read();
        assert!(matches!(cut, CheckError::File(EvidenceError::Format { .. })), "{cut}");
        assert!(cut.is_providers(), "a file that is cut short is the provider's fault");
        drop(running);
        let ended = read();
        assert!(matches!(ended, CheckError::MemberEnds(MemberEnds)), "{ended:?}");
        assert_eq!((ended.code(), ended.is_providers()), ("member-ends", false));
        let store = CheckError::from(StoreError::Ended);
        assert!(matches!(store, CheckError::MemberEnds(MemberEnds)), "{store:?}");
    }
}
