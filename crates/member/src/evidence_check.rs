//! Checks the evidence of one epoch root until there is a verdict.
//!
//! The file is first written to disk and then read in one pass on its own thread. Memory therefore
//! does not grow with the file, and a slow server delays no other check. There is no verdict until
//! the checksum at the file's end has matched.

use crate::{
    complaint::{Complaint, EpochClaim},
    fetch::{FetchError, Scratch, fetch, may_be_private},
    figures::is_over,
    lease_room::LeaseRoom,
    standing::{in_time, is_confirmed},
    state::State,
    store::{Entry, Outcome, StoreError, StoredComplaint, StoredRoot},
    turns::{Claim, Turn},
    view::LeaseView,
};
use hashlease_check::{Caches, EthashEpoch, LightCache};
use hashlease_committee::MemberClient;
use hashlease_evidence::{Evidence, EvidenceError, EvidenceReader, Recheck};
use hashlease_primitives::{Commitment, EpochId, Terms};
use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write as _},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, task::JoinError, time::sleep};
use tracing::{debug, info, warn};
use url::Url;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause between fetch attempts. An unreachable server gets 64 attempts; at this pause they
/// span more than a day, half the usual credit window.
const MAX_PAUSE: Duration = Duration::from_secs(1_800);
/// Longest pause before another member is asked again for evidence that the provider does not serve.
const MAX_PAUSE_PEERS: Duration = Duration::from_secs(600);
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
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    File(EvidenceError),
    #[error("evidence can't be kept: {0}")]
    Disk(io::Error),
    #[error(transparent)]
    Store(Arc<StoreError>),
    #[error("check ended early: {0}")]
    Check(#[from] JoinError),
    #[error(transparent)]
    MemberEnds(#[from] MemberEnds),
    /// The evidence breaks a rule.
    #[error(transparent)]
    Refused(#[from] Complaint),
}

impl CheckError {
    const fn code(&self) -> &'static str {
        match self {
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
    fn is_providers(&self) -> bool {
        match self {
            Self::Fetch(error) => error.is_providers(),
            Self::File(EvidenceError::Format { .. }) | Self::Refused(_) => true,
            Self::File(EvidenceError::Io { .. }) => false,
            Self::Disk(_) | Self::Store(_) | Self::Check(_) | Self::MemberEnds(_) => false,
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
            StoreError::Ended => MemberEnds.into(),
            other => Self::Store(Arc::new(other)),
        }
    }
}

/// Starts the check of a root's evidence. It ends with the evidence verified, once nobody can be
/// expected to have it any more, or with the member.
pub(crate) fn start(member: &Arc<State>, id: EpochId) {
    let member = Arc::clone(member);
    tokio::spawn(async move {
        tokio::select! {
            () = run(&member, id) => {}
            () = member.ended() => {}
        }
    });
}

/// Where a file comes from.
enum Source {
    /// The provider's server. Its failures are charged, and what it serves is judged.
    Provider(String),
    /// Another member. Only a good file counts.
    Peer(Url),
}

/// Fetches and checks until the evidence is verified. While the provider's server gave no verdict,
/// it is asked; after each of its failures, and once it has given a bad one, so is another member.
async fn run(member: &Arc<State>, id: EpochId) {
    let Some((view, room)) = counts(member, id).await else { return };
    // after a restart, resume with the pause of the last attempt
    let failed = room.figures().root(id.epoch).map_or(0, |stored| stored.failed);
    let mut pause = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(failed.min(16))).min(MAX_PAUSE);
    let mut view = view;
    for turn in 0.. {
        // the chain may have moved the end of the lease, or a member's URL
        view = member.view(id.lease).unwrap_or(view);
        if is_over(&view.lease, member.clock.now()) {
            return;
        }
        let Some(stored) = room.figures().root(id.epoch).cloned() else { return };
        if stored.rival.is_some() || matches!(stored.outcome, Outcome::Verified(_)) {
            return;
        }
        if stored.outcome == Outcome::Pending {
            let source = Source::Provider(place(&stored));
            if attempt(member, &view, &room, id, &stored, source, pause).await {
                return;
            }
        }
        if let Some(peer) = peer(member, &view, turn) {
            let source = Source::Peer(peer);
            if attempt(member, &view, &room, id, &stored, source, pause).await {
                return;
            }
        }
        let longest = if stored.outcome == Outcome::Pending { MAX_PAUSE } else { MAX_PAUSE_PEERS };
        tokio::select! {
            () = sleep(pause.min(longest)) => pause = pause.saturating_mul(2).min(longest),
            () = other_place(&room, id, stored.signed.len()) => pause = FIRST_PAUSE,
        }
    }
}

/// Waits until the provider has named another place of the evidence than the `known` ones.
async fn other_place(room: &LeaseRoom, id: EpochId, known: usize) {
    let mut roots = room.roots.subscribe();
    loop {
        let places = room.figures().root(id.epoch).map_or(0, |stored| stored.signed.len());
        if places > known || roots.changed().await.is_err() {
            return;
        }
    }
}

/// Waits until the root may count: it was in time here, or enough other members had it in time.
async fn counts(member: &Arc<State>, id: EpochId) -> Option<(LeaseView, Arc<LeaseRoom>)> {
    let (view, room) = member.lease(id.lease).ok()?;
    let mut roots = room.roots.subscribe();
    loop {
        let known = room.figures().root(id.epoch).map(|stored| {
            in_time(&view.lease.terms, id.epoch, stored.received) || is_confirmed(&view, id.epoch, stored)
        });
        if known? {
            return Some((view, room));
        }
        roots.changed().await.ok()?;
    }
}

/// The place of the evidence whose turn it is: the newest first, then those before it.
fn place(stored: &StoredRoot) -> String {
    let places = stored.signed.iter().rev().map(|signed| &signed.root.evidence);
    let turn = usize::try_from(stored.failed).unwrap_or(usize::MAX);
    places.cycle().nth(turn.checked_rem(stored.signed.len()).unwrap_or_default()).cloned().unwrap_or_default()
}

/// The place of the evidence at the member whose turn it is.
fn peer(member: &State, view: &LeaseView, turn: usize) -> Option<Url> {
    let peers: Vec<&Url> = view.peers(member.signer()).map(|(_, url)| url).collect();
    peers.get(turn.checked_rem(peers.len())?).map(|url| (*url).clone())
}

/// Checks a root once, and stores what came of it. Returns whether the evidence is verified.
async fn attempt(
    member: &Arc<State>,
    view: &LeaseView,
    room: &LeaseRoom,
    id: EpochId,
    stored: &StoredRoot,
    source: Source,
    retry_in: Duration,
) -> bool {
    let mut fetched = 0;
    let error = match check(member, view, room, stored, id, &source, &mut fetched).await {
        Ok(()) => {
            info!(%id, "evidence verified");
            return true;
        }
        Err(error) => error,
    };
    if let Source::Peer(_) = source {
        debug!(%id, code = error.code(), reason = %error, "another member has no good evidence");
        return false;
    }
    let charged =
        if error.is_providers() { charge(&error, fetched, longest(member, view, stored)) } else { 0 };
    let budget = longest(member, view, stored).saturating_mul(FILES_PER_ROOT);
    let verdict = match &error {
        CheckError::Refused(complaint) => {
            warn!(%id, code = complaint.code(), reason = %complaint, "evidence refused: the epoch counts as empty");
            Some(Outcome::Refused(complaint.into()))
        }
        passing if charged > 0 && stored.fetched.saturating_add(charged) >= budget => {
            warn!(%id, code = passing.code(), reason = %passing, bytes = stored.fetched, "download budget of the evidence is used up: the epoch counts as empty");
            Some(Outcome::Unfetched(StoredComplaint::new(passing.code(), passing)))
        }
        passing => {
            let own = charged == 0;
            warn!(%id, code = passing.code(), reason = %passing, own, ?retry_in, "evidence check failed");
            None
        }
    };
    if charged == 0 {
        return false;
    }
    let changed = member.change_root(room, id, Vec::new(), |root| {
        root.fetched = root.fetched.saturating_add(charged);
        root.failed = root.failed.saturating_add(1);
        if let (Some(verdict), Outcome::Pending) = (verdict, &root.outcome) {
            root.outcome = verdict;
        }
    });
    if let Err(error) = changed.await {
        warn!(%id, %error, "storing the state of the evidence failed");
    }
    false
}

/// Longest file allowed by the root's count and the settings, bytes.
fn longest(member: &State, view: &LeaseView, stored: &StoredRoot) -> u64 {
    let kind = view.lease.terms.algorithm.job_kind();
    Evidence::longest(kind, stored.commitment().count).min(member.config.max_evidence)
}

/// Bytes to charge for a failed attempt that received `fetched` bytes.
fn charge(error: &CheckError, fetched: u64, longest: u64) -> u64 {
    // a file that is too long is charged in full, even if only its announced length was read
    let part =
        if matches!(error, CheckError::Fetch(FetchError::TooLong { .. })) { 1 } else { MIN_CHARGE_DIVISOR };
    fetched.max(longest.div_ceil(part)).max(1)
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

/// Waits for a turn and checks. `fetched` counts the received bytes.
async fn check(
    member: &Arc<State>,
    view: &LeaseView,
    room: &LeaseRoom,
    stored: &StoredRoot,
    id: EpochId,
    source: &Source,
    fetched: &mut u64,
) -> Result<(), CheckError> {
    let claim = member.claim(view, stored.failed);
    // held to the end, because it also limits the files on disk
    let mut fetching = member.fetches.acquire(claim).await;
    let checked =
        fetch_and_check(member, view, room, stored, id, source, (claim, &mut fetching, fetched)).await;
    let provider = view.lease.terms.provider;
    match (&checked, source) {
        (Ok(()), _) => member.fetches.record(provider, false),
        (Err(error), Source::Provider(_)) if error.is_providers() => member.fetches.record(provider, true),
        (Err(_), _) => {}
    }
    checked
}

/// The whole check: terms, claim, every signature, every proof of work and the root. Then the keys
/// are counted, and the file is kept for other members.
async fn fetch_and_check(
    member: &Arc<State>,
    view: &LeaseView,
    room: &LeaseRoom,
    stored: &StoredRoot,
    id: EpochId,
    source: &Source,
    (claim, fetching, fetched): (Claim, &mut Turn, &mut u64),
) -> Result<(), CheckError> {
    let signed = EpochClaim { epoch: id.epoch, commitment: stored.commitment() };
    let expected = Expected { terms: view.lease.terms.clone(), signed };
    let scratch = Scratch::new(&member.scratch, &format!("{}-{}", id.lease, id.epoch));
    let most = longest(member, view, stored);
    let (files, url) = match source {
        Source::Provider(url) if may_be_private(&member.config, &expected.terms) => {
            (&member.local_files, url.as_str())
        }
        Source::Provider(url) => (&member.public_files, url.as_str()),
        Source::Peer(base) => {
            let client = MemberClient::new(base.clone(), member.http.clone());
            let url = client.evidence(id).map_err(|_| FetchError::Status(404))?;
            fetch(&member.local_files, url.as_str(), &scratch.evidence, most, &member.config.fetch, fetched)
                .await?;
            return judge(member, room, id, scratch, expected, claim, fetching).await;
        }
    };
    fetch(files, url, &scratch.evidence, most, &member.config.fetch, fetched).await?;
    judge(member, room, id, scratch, expected, claim, fetching).await
}

/// Rechecks a file that arrived, and counts its keys.
async fn judge(
    member: &Arc<State>,
    room: &LeaseRoom,
    id: EpochId,
    scratch: Scratch,
    expected: Expected,
    claim: Claim,
    fetching: &mut Turn,
) -> Result<(), CheckError> {
    let checking = member.checks.acquire(claim).await;
    let (lost, disputed) = room.figures().claims();
    // the provider's next file is fetched while this one is checked
    fetching.release_provider();
    let (caches, running) = (Arc::clone(&member.caches), member.running.clone());
    let judging = tokio::task::spawn_blocking(move || {
        let report = recheck(&scratch, &expected, (&lost, &disputed), &caches, &running);
        // the turn lasts as long as this thread works, even if its caller is gone
        drop(checking);
        (scratch, report)
    });
    let (scratch, judged) = judging.await?;
    let Rechecked { commitment, lost, disputed } = judged?;
    // until the root is stored as verified, so that no other count takes these keys
    let _counting = member.counting.lock().await;
    let counting = Arc::clone(member);
    let counted = tokio::task::spawn_blocking(move || {
        let keys = BufReader::with_capacity(1 << 20, File::open(&scratch.keys).map_err(CheckError::Disk)?);
        let going_on = || !ended(&counting.running);
        let counted = counting.store.count(id, keys, commitment.count.saturating_sub(lost), going_on)?;
        if let Err(error) = counting.shelf.keep(id, &scratch.evidence) {
            warn!(%id, %error, "evidence can't be kept for other members");
        }
        Ok::<_, CheckError>(counted)
    });
    let counted = counted.await??;
    let mut contested = counted.contested;
    if disputed > 0 {
        // members may differ in whose job it is
        contested.insert(id, disputed);
    }
    let left_out = counted.left_out.saturating_add(lost);
    let entries = contested.iter().map(|(id, more)| Entry::Contested { id: *id, more: *more });
    let verified = member.change_root(room, id, entries.collect(), |root| {
        root.outcome = Outcome::Verified(commitment);
        root.left_out = left_out;
    });
    verified.await.map_err(CheckError::Store)?;
    if left_out > 0 {
        warn!(%id, shares = left_out, "shares that another lease was first to show are left out");
    }
    for (other, more) in contested {
        if let Ok((_, room)) = member.lease(other.lease) {
            room.figures().contest(other.epoch, more);
        }
    }
    Ok(())
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

/// What came of reading a file.
struct Rechecked {
    commitment: Commitment,
    /// Shares of jobs that the lease lost; their keys are not among the stored ones.
    lost: u64,
    /// Shares of jobs whose work another lease claims as well.
    disputed: u64,
}

/// Reads the whole file, and stores the keys of jobs that the lease has if all of it is right.
fn recheck(
    scratch: &Scratch,
    expected: &Expected,
    (lost_jobs, disputed_jobs): (&BTreeSet<u64>, &BTreeSet<u64>),
    caches: &Caches,
    running: &watch::Receiver<()>,
) -> Result<Rechecked, CheckError> {
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
    let (mut lost, mut disputed) = (0u64, 0u64);
    let report = reader.recheck_until_refused(Recheck {
        caches: &|epoch| light_cache(caches, epoch),
        counted: &mut |share| {
            if lost_jobs.contains(&share.job()) {
                lost = lost.saturating_add(1);
                return;
            }
            if disputed_jobs.contains(&share.job()) {
                disputed = disputed.saturating_add(1);
            }
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
    Ok(Rechecked { commitment: report.rebuilt, lost, disputed })
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
