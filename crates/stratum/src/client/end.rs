//! How a session at a pool ends.

use crate::{
    dialect::{
        json_rpc::{MessageError, RpcError},
        v1::NoticeError,
    },
    line::LineError,
};
use std::io;

/// Why a session at a pool ended.
#[derive(Debug, thiserror::Error)]
pub enum ClientEnd {
    /// By this side.
    #[error("closed by us")]
    ClosedHere,
    /// By the pool, without a word.
    #[error("closed by the other side")]
    ClosedByPool,
    /// A line is too long, too slow or no UTF-8.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The connection broke while writing.
    #[error(transparent)]
    Write(#[from] io::Error),
    /// The pool leaves what it is sent in its buffers.
    #[error("does not read what it is sent")]
    NotReading,
    /// A request of the handshake has no answer in time.
    #[error("{method} is not answered within {seconds} s")]
    NotAnswered {
        /// Which.
        method: &'static str,
        /// How long it had.
        seconds: u64,
    },
    /// A line is no message.
    #[error("does not speak Stratum: {0}")]
    NotStratum(#[from] MessageError),
    /// The pool refused the subscription.
    #[error("mining.subscribe was refused: {}", .0.message)]
    SubscribeRefused(RpcError),
    /// The answer to `mining.subscribe` can't be read.
    #[error(transparent)]
    SubscribeUnreadable(#[from] NoticeError),
    /// A job or its layout can't be read: whatever came before must not be mined on.
    #[error("{0}")]
    NoticeUnreadable(NoticeError),
    /// More notifications than anybody needs.
    #[error("sends more than {most} notifications within {seconds} s")]
    TooManyNotices {
        /// The limit.
        most: u32,
        /// The time that it is for.
        seconds: u64,
    },
    /// The pool refused the worker.
    #[error("worker was refused: {}", .0.message)]
    WorkerRefused(RpcError),
    /// `client.reconnect`.
    #[error("asked us to reconnect")]
    Reconnect,
}

impl ClientEnd {
    /// Stable kebab-case name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ClosedHere => "closed-here",
            Self::ClosedByPool => "closed-by-pool",
            Self::Line(error) => error.code(),
            Self::Write(_) => "connection-lost",
            Self::NotReading => "not-reading",
            Self::NotAnswered { .. } => "not-answered",
            Self::NotStratum(_) => "not-stratum",
            Self::SubscribeRefused(_) => "subscribe-refused",
            Self::SubscribeUnreadable(_) => "subscribe-unreadable",
            Self::NoticeUnreadable(_) => "notice-unreadable",
            Self::TooManyNotices { .. } => "too-many-notices",
            Self::WorkerRefused(_) => "worker-refused",
            Self::Reconnect => "reconnect",
        }
    }
}
