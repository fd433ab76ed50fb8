//! What a pool sends and answers.

use super::{ClientEnd, OptionalRequests};
use crate::dialect::{Notify, json_rpc::RpcError};
use hashlease_primitives::Target;
use serde_json::Value;
use std::sync::Arc;

/// What a pool sent.
#[derive(Clone, Debug)]
pub enum UpstreamEvent {
    /// The answer to `mining.subscribe`: the extranonce of this session.
    Subscribed {
        /// The pool's part.
        extranonce1: Vec<u8>,
        /// Size of ours, bytes.
        extranonce2_size: usize,
    },
    /// `mining.set_extranonce`: the extranonce from the next job on.
    Extranonce {
        /// The pool's part.
        extranonce1: Vec<u8>,
        /// Size of ours, bytes.
        extranonce2_size: usize,
    },
    /// Version bits that may be rolled; before the first of these, none.
    VersionMask(u32),
    /// Target of the jobs that follow.
    Difficulty(Target),
    /// A job.
    Notify(Box<Notify>),
    /// One of the notifications asked for.
    Other {
        /// Method.
        method: String,
        /// Parameters.
        params: Value,
    },
    /// The worker is authorised.
    Authorized,
    /// The worker is refused.
    Refused {
        /// The pool's words.
        message: String,
    },
    /// Optional requests that have no answer yet as the session ends, if there are any. The pool may
    /// have closed because of them.
    Unanswered(OptionalRequests),
    /// The session ended; the last event.
    Closed(Arc<ClientEnd>),
}

/// What a pool answered to a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// Accepted.
    Accepted,
    /// Refused.
    Rejected {
        /// The pool's number.
        code: i64,
        /// The pool's words.
        message: String,
    },
    /// The session ended before an answer, or none came in time.
    Lost,
}

impl From<RpcError> for SubmitOutcome {
    fn from(error: RpcError) -> Self {
        Self::Rejected { code: error.code, message: error.message }
    }
}
