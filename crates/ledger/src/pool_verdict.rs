//! What a pool made of a forwarded share.

use std::fmt;

/// The pool's answer to a forwarded share, recorded beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolVerdict {
    /// The pool accepted the share.
    Accepted,
    /// The pool refused it.
    Rejected {
        /// The pool's number.
        code: i64,
        /// The pool's words.
        message: String,
    },
    /// No answer came.
    Lost,
}

impl PoolVerdict {
    /// Whether the pool accepted the share.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted)
    }
}

/// The reason as the journal has it; empty if the pool accepted the share.
impl fmt::Display for PoolVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => Ok(()),
            Self::Rejected { code, message } => write!(f, "{code} {message}"),
            Self::Lost => f.write_str("lost"),
        }
    }
}
