//! What became of a session's shares. Shares are checked beside the session, so both ends share it.

use crate::{lock::lock, refusal::Refusal, vardiff::Vardiff};
use hashlease_primitives::UnixMillis;
use std::{collections::BTreeMap, sync::Mutex};
use tokio::sync::Notify;

/// Refused shares in a row after which a session ends; no honest miner reaches it while its work
/// counts.
pub(super) const MAX_REFUSED: u32 = 256;

/// Counts of a session.
#[derive(Debug)]
pub(super) struct Tally {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    vardiff: Vardiff,
    accepted: u64,
    refused: BTreeMap<&'static str, u64>,
    refused_in_a_row: u32,
}

impl Tally {
    pub(super) fn new(vardiff: Vardiff) -> Self {
        let state = State { vardiff, accepted: 0, refused: BTreeMap::new(), refused_in_a_row: 0 };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    /// Counts a share that was answered `true`, of a job that was told with this work.
    pub(super) fn accept(&self, work: u128, now: UnixMillis) {
        let mut state = lock(&self.state);
        state.accepted = state.accepted.saturating_add(1);
        state.refused_in_a_row = 0;
        if state.vardiff.share(work, now) {
            self.changed.notify_one();
        }
    }

    /// Counts a refused share.
    pub(super) fn refuse(&self, refusal: &Refusal) {
        let mut state = lock(&self.state);
        let count = state.refused.entry(refusal.code()).or_default();
        *count = count.saturating_add(1);
        state.refused_in_a_row = state.refused_in_a_row.saturating_add(1);
        if state.refused_in_a_row >= MAX_REFUSED {
            self.changed.notify_one();
        }
    }

    /// Whether too many shares in a row were refused.
    pub(super) fn is_hopeless(&self) -> bool {
        lock(&self.state).refused_in_a_row >= MAX_REFUSED
    }

    /// Waits until the target should change, or the session end.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Changes what is known of the miner's rate.
    pub(super) fn vardiff<T>(&self, change: impl FnOnce(&mut Vardiff) -> T) -> T {
        change(&mut lock(&self.state).vardiff)
    }

    /// Accepted shares, and refused ones by reason.
    pub(super) fn counts(&self) -> (u64, BTreeMap<&'static str, u64>) {
        let state = lock(&self.state);
        (state.accepted, state.refused.clone())
    }
}
