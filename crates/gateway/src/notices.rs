//! What the renter should know of a lease, in words: each stands until its cause is gone.

use serde::Serialize;
use std::collections::BTreeMap;

/// Something that the renter should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Stable kebab-case name.
    pub code: &'static str,
    /// Expected and actual values, for people. It names neither the pool nor the worker.
    pub message: String,
}

/// The subject of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// The newest job is not due.
    Due,
    /// The pool's clock is behind.
    PoolClock,
    /// The pool's difficulty is beyond the bounds.
    PoolDifficulty,
    /// The pool changes its work more often than miners keep up with.
    Pace,
    /// Roots claim work that was never seen here.
    Unseen,
    /// Jobs are held back because of that.
    Stopped,
}

impl Subject {
    const fn code(self) -> &'static str {
        match self {
            Self::Due => "not-due",
            Self::PoolClock => "pool-clock-behind",
            Self::PoolDifficulty => "pool-difficulty",
            Self::Pace => "pool-changes-too-often",
            Self::Unseen => "work-not-seen",
            Self::Stopped => "stopped",
        }
    }
}

/// The notices of one lease.
#[derive(Debug, Default)]
pub(crate) struct Notices(BTreeMap<Subject, String>);

impl Notices {
    /// Sets or takes back the words on a subject; `true` when there were none and now there are.
    pub(crate) fn set(&mut self, subject: Subject, words: Option<String>) -> bool {
        match words {
            Some(words) => self.0.insert(subject, words).is_none(),
            None => {
                self.0.remove(&subject);
                false
            }
        }
    }

    pub(crate) fn list(&self) -> Vec<Notice> {
        let notices = self.0.iter();
        notices.map(|(subject, words)| Notice { code: subject.code(), message: words.clone() }).collect()
    }
}
