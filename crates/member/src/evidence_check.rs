//! Checking the evidence of one root, until there is a verdict.
//!
//! The file goes to disk first and is then read in one pass on a thread of its own, so that memory does not grow with it
//! and a server that is slow holds up nobody's check. Nothing is judged before the checksum at its end was right.

use crate::{
    fetch::{FetchError, Scratch, fetch},
    figures::{in_time, over},
    state::{LeaseView, State},
    store::{Complaint, Outcome, StoreError, StoredRoot},
    turns::{Claim, Turn},
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use hashlease_check::{Caches, EthashEpoch, LightCache};
use hashlease_committee::MemberClient;
use hashlease_evidence::{Evidence, EvidenceError, EvidenceHead, EvidenceReader, Recheck, Report};
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
/// Longest pause between two tries to get a file: the 64 tries that a server has that is down last for more than a day, half of
/// the usual credit window.
const MAX_PAUSE: Duration = Duration::from_secs(1_800);
/// Longest pause before other members are asked again whether a root came in time.
const MAX_PAUSE_LATE: Duration = Duration::from_secs(600);
/// So many times the longest file that a root may have is fetched for it, and one more that was begun.
const FILES_PER_ROOT: u64 = 4;
/// An attempt costs the provider at least this part of the longest file, however little came: it took a turn.
const LEAST_CHARGE: u64 = 16;
/// Shares that are read at a time where none is checked.
const PIECE: usize = 4_096;

/// Why there is no good verdict.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error("root came late, and too few members had it in time")]
    Late,
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    File(#[from] EvidenceError),
    #[error("evidence can't be kept: {0}")]
    Disk(io::Error),
    #[error(transparent)]
    Store(StoreError),
    #[error("check ended early: {0}")]
    Check(#[from] JoinError),
    /// The only one that does not pass.
    #[error("{0}")]
    Refused(Complaint),
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
            Self::Refused(_) => "refused",
        }
    }

    /// The provider's, not this machine's.
    const fn is_providers(&self) -> bool {
        match self {
            Self::Fetch(error) => error.is_providers(),
            Self::File(EvidenceError::Format { .. }) | Self::Refused(_) => true,
            Self::File(EvidenceError::Io { .. }) => false,
            Self::Late | Self::Disk(_) | Self::Store(_) | Self::Check(_) => false,
        }
    }
}

impl From<StoreError> for CheckError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::KeyTaken { .. } => {
                Self::Refused(Complaint::new("seen-in-other-lease", error.to_string()))
            }
            other => Self::Store(other),
        }
    }
}

/// Starts the check of a root's evidence. It ends with a verdict, or with the member.
pub(crate) fn start(member: &Arc<State>, id: EpochId) {
    let member = Arc::clone(member);
    tokio::spawn(async move {
        tokio::select! {
            () = run(Arc::clone(&member), id) => {}
            () = member.ended() => {}
        }
    });
}

/// Fetches and checks until there is a verdict, or nobody can use one any more.
async fn run(member: Arc<State>, id: EpochId) {
    let EpochId { lease, epoch } = id;
    // after a restart, where it was before
    let failed = member.stored(id).map_or(0, |stored| stored.failed);
    let mut pause = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(failed.min(16))).min(MAX_PAUSE);
    loop {
        let mut longest = MAX_PAUSE;
        // a lease that is not known yet after a restart soon will be
        if let Ok(view) = member.view(lease)
            && let Some(mut stored) = member.stored(id)
        {
            if over(&view.lease, member.clock.now()) {
                return;
            }
            let trouble = match attempt(&member, &view, epoch, &mut stored).await {
                Ok(()) => {
                    info!(%lease, epoch, "evidence verified");
                    keep(&member, id, stored);
                    return;
                }
                Err(trouble) => trouble,
            };
            let verdict = match &trouble {
                CheckError::Refused(complaint) => {
                    warn!(%lease, epoch, code = complaint.code, reason = complaint.message, "evidence refused: the epoch counts as empty");
                    Some(Outcome::Refused(complaint.clone()))
                }
                passing if stored.fetched >= budget(&member, &view, &stored) => {
                    warn!(%lease, epoch, code = passing.code(), reason = %passing, bytes = stored.fetched, "evidence was fetched too often in vain: the epoch counts as empty");
                    Some(Outcome::Unfetched(Complaint::new(passing.code(), passing.to_string())))
                }
                passing => {
                    warn!(%lease, epoch, code = passing.code(), reason = %passing, retry_in = ?pause, "evidence can't be checked yet");
                    None
                }
            };
            stored.outcome = verdict.unwrap_or(Outcome::Pending);
            let judged = stored.outcome != Outcome::Pending;
            if (judged || trouble.is_providers())
                && let Err(error) = member.store.put_root(id, &stored)
            {
                warn!(%lease, epoch, %error, "state of the evidence can't be stored");
            }
            keep(&member, id, stored);
            if judged {
                return;
            }
            if matches!(trouble, CheckError::Late) {
                longest = MAX_PAUSE_LATE;
            }
        }
        sleep(pause.min(longest)).await;
        pause = pause.saturating_mul(2).min(longest);
    }
}

/// Longest file that the root's count and the settings allow, bytes.
fn longest(member: &State, view: &LeaseView, stored: &StoredRoot) -> u64 {
    let kind = view.lease.terms.algorithm.job_kind();
    Evidence::longest(kind, stored.root.root.commitment.count).min(member.config.max_evidence)
}

/// Bytes that are charged for a root before it is given up.
fn budget(member: &State, view: &LeaseView, stored: &StoredRoot) -> u64 {
    longest(member, view, stored).saturating_mul(FILES_PER_ROOT)
}

/// Bytes that an attempt is charged for which so many came in vain.
fn charge(trouble: &CheckError, fetched: u64, longest: u64) -> u64 {
    // as if all of it had come, also where only its length was read
    let part =
        if matches!(trouble, CheckError::Fetch(FetchError::TooLong { .. })) { 1 } else { LEAST_CHARGE };
    fetched.max(longest.div_ceil(part)).max(1)
}

/// A late root is checked only once enough members say that they had it in time: until then it counts as empty, and
/// its keys are not counted; from then on it is one that came in time.
async fn attempt(
    member: &Arc<State>,
    view: &LeaseView,
    epoch: u32,
    stored: &mut StoredRoot,
) -> Result<(), CheckError> {
    let terms = &view.lease.terms;
    if !stored.vouched && !in_time(terms, epoch, stored.received) {
        if !vouched(member, view, epoch, stored).await {
            return Err(CheckError::Late);
        }
        stored.vouched = true;
        let id = EpochId::new(terms.id, epoch);
        member.store.put_root(id, stored)?;
        keep(member, id, stored.clone());
    }
    check(member, view, epoch, stored).await
}

fn keep(member: &State, id: EpochId, stored: StoredRoot) {
    member.figures().entry(id.lease).or_default().roots.insert(id.epoch, stored);
}

/// Whether enough members had this very root in time.
async fn vouched(member: &State, view: &LeaseView, epoch: u32, stored: &StoredRoot) -> bool {
    let lease = view.lease.terms.id;
    let _asking = member.questions.take(claim(view, stored)).await;
    let mut asked: FuturesUnordered<_> = view
        .members
        .iter()
        .map(|url| async {
            MemberClient::over(url.clone(), member.http.clone()).root(EpochId::new(lease, epoch)).await
        })
        .collect();
    let mut in_time = 0usize;
    // as soon as it is enough nobody waits for a member that hangs
    while in_time < view.threshold
        && let Some(answer) = asked.next().await
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
        info!(%lease, epoch, in_time, member = %member.signer(), "late here, but enough members had the root in time");
    }
    enough
}

/// A light cache, built here if no thread can be had for it.
fn light_cache(caches: &Caches, epoch: EthashEpoch) -> Arc<LightCache> {
    caches.get(epoch).unwrap_or_else(|error| {
        warn!(epoch = epoch.index(), %error, "light cache is built in place");
        Arc::new(LightCache::build(epoch))
    })
}

/// What the evidence has to be of.
struct Asked {
    terms: Terms,
    epoch: u32,
    claimed: Commitment,
}

/// How urgent a root is.
fn claim(view: &LeaseView, stored: &StoredRoot) -> Claim {
    let terms = &view.lease.terms;
    // from then on an epoch without a verdict counts as empty
    let deadline = terms.end.plus(u64::from(view.lease.window / 2));
    Claim { provider: terms.provider, failed: stored.failed, deadline }
}

/// Waits for a turn, checks, and charges the root for an attempt that the provider let fail.
async fn check(
    member: &Arc<State>,
    view: &LeaseView,
    epoch: u32,
    stored: &mut StoredRoot,
) -> Result<(), CheckError> {
    let terms = &view.lease.terms;
    let claim = claim(view, stored);
    // held to the end, so that few files are on disk
    let mut fetching = member.fetches.take(claim).await;
    let mut fetched = 0;
    let checked = fetch_and_check(member, view, epoch, stored, claim, &mut fetching, &mut fetched).await;
    match &checked {
        Ok(()) => member.fetches.note(terms.provider, false),
        Err(trouble) if trouble.is_providers() => {
            let charged = charge(trouble, fetched, longest(member, view, stored));
            stored.fetched = stored.fetched.saturating_add(charged);
            stored.failed = stored.failed.saturating_add(1);
            member.fetches.note(terms.provider, true);
        }
        Err(_) => {}
    }
    checked
}

/// The whole check: terms, claim, every signature, every proof of work, root, and no key counted elsewhere. `fetched`
/// counts what comes.
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
    let claimed = root.commitment;
    let asked = Asked { terms: view.lease.terms.clone(), epoch, claimed };
    let scratch = Scratch::new(&member.scratch, &format!("{}-{epoch}", asked.terms.id));
    let most = longest(member, view, stored);
    fetch(&root.evidence, &scratch.evidence, most, &member.config.fetch, fetched).await?;
    let checking = member.checks.take(claim).await;
    // the provider's next file comes while this one is checked
    fetching.let_next();
    let (caches, running) = (Arc::clone(&member.caches), member.running.clone());
    let judging = tokio::task::spawn_blocking(move || {
        let report = judge(&scratch, &asked, &caches, &running);
        // as long as the thread is busy, whatever becomes of who waits for it
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

/// A file that can't be read on once the member has ended.
struct WhileRunning<'a> {
    file: File,
    running: &'a watch::Receiver<()>,
}

impl Read for WhileRunning<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if ended(self.running) {
            return Err(io::Error::other("the member ends"));
        }
        self.file.read(into)
    }
}

/// Reads the file through and writes down its keys, if all of it holds.
fn judge(
    scratch: &Scratch,
    asked: &Asked,
    caches: &Caches,
    running: &watch::Receiver<()>,
) -> Result<Commitment, CheckError> {
    let file = File::open(&scratch.evidence).map_err(CheckError::Disk)?;
    let mut reader = EvidenceReader::open(WhileRunning { file, running })?;
    if let Some(complaint) = differs(reader.head(), reader.left(), asked) {
        // a provider may serve a broken file once and the right one later: only a whole one is judged
        while reader.next(&mut Vec::new(), PIECE)? {}
        return Err(CheckError::Refused(complaint));
    }
    let newest =
        reader.head().jobs.iter().filter_map(|signed| signed.job.ethash()).map(|job| job.block_number).max();
    // a cancellation brings it closer
    reader.set_end(asked.terms.end.get());
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
    if let Some(complaint) = complaint(&report) {
        return Err(CheckError::Refused(complaint));
    }
    written.and_then(|()| keys.flush()).map_err(CheckError::Disk)?;
    // work was done at this block, so more will be: the cache of the next DAG is built before its evidence comes. Signatures
    // alone would not do, or a job signer could have any number of caches built for nothing.
    if let Some(block) = newest.filter(|_| report.rebuilt.count > 0)
        && let Err(error) = caches.follow(asked.terms.algorithm, block)
    {
        warn!(lease = %asked.terms.id, block, %error, "no light cache can be prepared for the next DAG");
    }
    Ok(report.rebuilt)
}

/// What of a file's head is not as the chain and the provider's signature say.
fn differs(head: &EvidenceHead, shares: u64, asked: &Asked) -> Option<Complaint> {
    let Asked { terms, epoch, claimed } = asked;
    if let Some(difference) = head.differs_from(terms) {
        return Some(Complaint::new("terms-differ", format!("evidence is of other terms: {difference}")));
    }
    if (head.epoch, head.commitment) != (*epoch, *claimed) {
        let message = format!(
            "evidence is of epoch {} with root {} and {} shares: the provider signed epoch {epoch} with root {} and {}",
            head.epoch, head.commitment.root, head.commitment.count, claimed.root, claimed.count
        );
        return Some(Complaint::new("claim-differs", message));
    }
    (shares != claimed.count).then(|| {
        let message = format!("evidence has {shares} shares: the provider signed {}", claimed.count);
        Complaint::new("share-count", message)
    })
}

/// The first thing that does not hold.
fn complaint(report: &Report) -> Option<Complaint> {
    if let Some(job) = report.jobs_named.first() {
        let message = format!("job {}: {}", job.sequence, job.refused);
        return Some(Complaint::new(job.refused.code(), message));
    }
    if let Some(share) = report.named.first() {
        let message = format!("share {}: {}", share.index, share.refused);
        return Some(Complaint::new(share.refused.code(), message));
    }
    let message = report.complaint()?;
    Some(Complaint::new("root-differs", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_brought_nothing_is_charged_too() {
        let charge = |fetched, longest| charge(&CheckError::Fetch(FetchError::Status(500)), fetched, longest);
        assert_eq!([0, 9, 10, 11].map(|fetched| charge(fetched, 160)), [10, 10, 10, 11]);
        assert_eq!([0, 1, 161].map(|longest| charge(0, longest)), [1, 1, 11]);
    }
}
