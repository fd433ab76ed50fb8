//! Dialects of mining protocols: each translates between lines and the types here.
//!
//! A dialect keeps no state of the session and decides nothing. Sessions handle [`Received`]
//! requests and produce [`Answer`]s and [`Event`]s without knowing how these look on the wire.

pub(crate) mod json_rpc;
mod notify;
mod request;
pub(crate) mod v1;

pub use notify::Notify;
pub use request::{MinerRequest, RequestError, Submit, VersionRolling};

use hashlease_primitives::{DifficultyBase, SignedJob, Target};
use json_rpc::{Id, MessageError};
use std::fmt;

/// One line of a peer, read.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    /// A request.
    Request {
        /// Goes back with the answer.
        id: Id,
        /// The request itself.
        request: MinerRequest,
    },
    /// A known request with a field that can't be read.
    Unreadable {
        /// Goes back with the answer.
        id: Id,
        /// It was a share, so its answer has to wait for those of earlier shares.
        is_share: bool,
        /// Which field, and what is wrong with it.
        error: RequestError,
    },
    /// A line that needs no reaction, such as an answer.
    Ignored,
}

/// An answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes: the share is accepted, the worker is authorised, the suggestion is noted.
    Accepted,
    /// To `mining.subscribe`.
    Subscribed {
        /// Name of the session.
        session: String,
        /// The server's part of the extranonce.
        extranonce1: Vec<u8>,
        /// Size of the miner's part, bytes.
        extranonce2_size: usize,
    },
    /// To `mining.configure`.
    Configured {
        /// Version bits granted, if the miner asked for any.
        version_mask: Option<u32>,
        /// Other extensions, and whether they are supported.
        others: Vec<(String, bool)>,
    },
    /// To a ping.
    Pong,
    /// To a request whose answer is a list: an empty one.
    EmptyList,
    /// No.
    Rejected(Rejection),
}

/// Why a request is rejected, as the peer reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// By a rule with this stable kebab-case code; the dialect knows its own number for it.
    Named(&'static str),
    /// By the pool, in its own words.
    OfPool {
        /// The pool's number.
        number: i32,
        /// The pool's words.
        message: String,
    },
}

impl Rejection {
    /// By a rule with this stable kebab-case code.
    #[must_use]
    pub const fn named(code: &'static str) -> Self {
        Self::Named(code)
    }

    /// The code, or the pool's words.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Named(code) => code,
            Self::OfPool { message, .. } => message,
        }
    }
}

/// What a server tells a peer without being asked.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The extranonce from the next job on.
    Extranonce {
        /// The server's part.
        extranonce1: &'a [u8],
        /// Size of the miner's part, bytes.
        extranonce2_size: usize,
    },
    /// Version bits that may be rolled from the next job on.
    VersionMask(u32),
    /// Target of the jobs that follow, and the coin's convention for writing it as a difficulty.
    Target(Target, DifficultyBase),
    /// A job of the kind [`Header`](hashlease_primitives::JobKind::Header).
    HeaderJob(&'a Notify),
    /// The signed fields of the job announced just before. Only between gateway and edge.
    SignedJob {
        /// Id of the announced job.
        job_id: &'a str,
        /// The job with its signature.
        signed: &'a SignedJob,
        /// The pool target that its shares are judged by, if there is a pool.
        pool_target: Option<Target>,
    },
    /// Words for a human.
    Message(&'a str),
    /// A request to connect again, to the same address.
    Reconnect,
}

/// A mining protocol on the wire.
pub trait Dialect: fmt::Debug + Send + Sync {
    /// Reads one line.
    ///
    /// # Errors
    /// [`MessageError`] when the line is not of this dialect at all; the session should end then.
    fn read(&self, line: &str) -> Result<Received, MessageError>;

    /// Writes the answer to the request with this id.
    fn answer(&self, id: &Id, answer: &Answer) -> String;

    /// Writes a notification.
    fn event(&self, event: Event<'_>) -> String;
}
