//! Why a server's session with a peer ended.

use crate::{dialect::json_rpc::MessageError, line::LineError};
use std::{io, time::Duration};

/// Why a session with a miner or a node ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionEnd {
    /// The peer closed its side.
    #[error("closed by the peer")]
    ClosedByPeer,
    /// A line could not be read.
    #[error(transparent)]
    Line(#[from] LineError),
    /// A line was not of the dialect.
    #[error("does not speak Stratum: {0}")]
    NotStratum(#[from] MessageError),
    /// The peer does not read what is written to it.
    #[error("does not read: a write was not finished within {0:?}")]
    NotReading(Duration),
    /// A write failed.
    #[error("connection: {0}")]
    Write(#[source] io::Error),
    /// Too many requests in a row could not be read.
    #[error("{0} malformed requests in a row")]
    Malformed(u32),
    /// Too many shares in a row were refused.
    #[error("{0} shares in a row were refused")]
    RefusedShares(u32),
    /// No worker was authorised in time.
    #[error("no worker within {0:?}")]
    NoWorker(Duration),
    /// The lease has had no job that can be mined for too long.
    #[error("no job for {0:?}")]
    NoJob(Duration),
    /// The worker's lease is for another algorithm than this address.
    #[error("lease of another algorithm")]
    OtherAlgorithm,
    /// No lease is active or about to start that the worker could mine for.
    #[error("no active lease for its worker")]
    NoActiveLease,
    /// The lease ended.
    #[error("lease is over")]
    LeaseOver,
    /// The lease is no longer served here.
    #[error("lease is no longer served here")]
    LeaseNotServed,
    /// No extranonce could be reserved.
    #[error("no extranonce is free")]
    NoExtranonce,
    /// The next job needs other extranonce sizes and the miner did not subscribe to changes.
    #[error("extranonce sizes changed and the miner did not subscribe to changes")]
    ExtranonceChanged,
    /// The access token is wrong, or the lease is unknown or over.
    #[error("not authorised")]
    Unauthorized,
    /// No access token arrived in time.
    #[error("no access token within {0:?}")]
    NoToken(Duration),
    /// The server shuts down.
    #[error("gateway shuts down")]
    ShuttingDown,
}

impl SessionEnd {
    /// A stable kebab-case name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ClosedByPeer => "closed-by-peer",
            Self::Line(error) => error.code(),
            Self::NotStratum(_) => "not-stratum",
            Self::NotReading(_) => "not-reading",
            Self::Write(_) => "connection-lost",
            Self::Malformed(_) => "malformed",
            Self::RefusedShares(_) => "refused-shares",
            Self::NoWorker(_) => "no-worker",
            Self::NoJob(_) => "no-job",
            Self::OtherAlgorithm => "other-algorithm",
            Self::NoActiveLease => "no-active-lease",
            Self::LeaseOver => "lease-over",
            Self::LeaseNotServed => "lease-not-served",
            Self::NoExtranonce => "no-extranonce",
            Self::ExtranonceChanged => "extranonce-changed",
            Self::Unauthorized => "unauthorized",
            Self::NoToken(_) => "no-token",
            Self::ShuttingDown => "shutting-down",
        }
    }
}
