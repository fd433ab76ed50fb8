//! The way of shares to the members of a lease, and their answers.

use crate::lock::lock;
use hashlease_committee::{ClientError, ShownShare};
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, mpsc};

/// Shares that wait to be shown to a member.
const WAITING: usize = 64;
/// How members say that another lease was first.
const ANOTHER_LEASE: &str = "work-of-another-lease";

/// What a member says about a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Its work is the lease's.
    Taken,
    /// Another lease was first.
    AnotherLease,
    /// It can't be reached, or refuses the share for another reason.
    None,
}

impl Answer {
    pub(crate) fn of<T>(answer: &Result<T, ClientError>) -> Self {
        match answer {
            Ok(_) => Self::Taken,
            Err(ClientError::Refused { code, .. }) if code == ANOTHER_LEASE => Self::AnotherLease,
            Err(_) => Self::None,
        }
    }
}

/// A share on its way to the members.
#[derive(Clone, Debug)]
pub(crate) struct ToShow {
    pub(crate) shown: Arc<ShownShare>,
    pub(crate) answers: mpsc::UnboundedSender<Answer>,
}

/// The way to the members of a lease.
#[derive(Debug)]
pub(crate) struct Shows {
    sender: broadcast::Sender<ToShow>,
    threshold: Mutex<usize>,
}

impl Default for Shows {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(WAITING), threshold: Mutex::new(1) }
    }
}

impl Shows {
    /// Follows the shares that a member should see.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<ToShow> {
        self.sender.subscribe()
    }

    /// Hands a share to all members. Returns how many there are; none if nobody listens.
    pub(crate) fn show(&self, share: ToShow) -> Option<usize> {
        self.sender.send(share).ok()
    }

    /// How many members decide.
    pub(crate) fn threshold(&self) -> usize {
        *lock(&self.threshold)
    }

    /// Sets how many members sign a statement of the lease: so many decide here as well.
    pub(crate) fn set_threshold(&self, threshold: usize) {
        *lock(&self.threshold) = threshold.max(1);
    }
}
